{{- define "seep.selector" -}}
app.kubernetes.io/name: seep
{{- end }}
{{- define "seep.labels" -}}
{{ include "seep.selector" . }}
{{- end }}
{{- define "seep.conf" -}}
[agent]
{{- range $name, $value := .Values.config }}
{{ $name }} = {{ $value }}
{{- end }}
{{- end }}
