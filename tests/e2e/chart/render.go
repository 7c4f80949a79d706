// SPDX-License-Identifier: BSD-2-Clause

// render.go - a chart's templates without helm, which Debian does not package:
//
//	render TEMPLATES <VALUES.json >MANIFESTS.yaml
//
// Go's own text/template does the work; of the functions that helm adds only those are here that
// our chart uses. toYaml writes JSON, which is YAML as well.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"
)

func toJSON(value interface{}) (string, error) {
	text, err := json.Marshal(value)
	return string(text), err
}

func nindent(spaces int, text string) string {
	pad := "\n" + strings.Repeat(" ", spaces)
	return pad + strings.ReplaceAll(text, "\n", pad)
}

func orDefault(otherwise, value interface{}) interface{} {
	if value == nil || value == "" {
		return otherwise
	}
	return value
}

var condition = regexp.MustCompile(`^(<|>=)(\d+)\.(\d+)-0$`)

// semverCompare of helm, for "<MAJOR.MINOR-0" and ">=MAJOR.MINOR-0" only.
func semverCompare(want, have string) (bool, error) {
	parts := condition.FindStringSubmatch(want)
	if parts == nil {
		return false, fmt.Errorf("condition %q is not known here", want)
	}
	var major, minor int
	if _, err := fmt.Sscanf(have, "v%d.%d", &major, &minor); err != nil {
		return false, err
	}
	wantMajor, _ := strconv.Atoi(parts[2])
	wantMinor, _ := strconv.Atoi(parts[3])
	less := major < wantMajor || major == wantMajor && minor < wantMinor
	return less == (parts[1] == "<"), nil
}

func load(dir string) (*template.Template, error) {
	root := template.New("chart").Option("missingkey=error")
	include := func(name string, data interface{}) (string, error) {
		var out bytes.Buffer
		err := root.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	root.Funcs(template.FuncMap{
		"include": include, "nindent": nindent, "toYaml": toJSON, "toJson": toJSON,
		"default": orDefault, "semverCompare": semverCompare,
		// numbers in values are floating point, to helm as well
		"int": func(value float64) int { return int(value) },
		"sha256sum": func(text string) string {
			return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
		},
	})
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, err
	}
	return root.ParseFiles(files...)
}

func run(dir string) error {
	var data map[string]interface{}
	if err := json.NewDecoder(os.Stdin).Decode(&data); err != nil {
		return err
	}
	root, err := load(dir)
	if err != nil {
		return err
	}
	for _, t := range root.Templates() {
		if filepath.Ext(t.Name()) != ".yaml" {
			continue
		}
		fmt.Println("---")
		if err := root.ExecuteTemplate(os.Stdout, t.Name(), data); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}
