// SPDX-License-Identifier: BSD-2-Clause
/* parts.js - what several views show: badges, tiles, incidents in a line, and what is not seen. */
import {h} from "./dom.js";
import * as fmt from "./format.js";
import {sparkline} from "./chart.js";

const TONES = {critical: "critical", warning: "warning", leak: "warning", suspect: "notice",
	       recovered: "good", healthy: "good", open: "warning", closed: "plain"};

export function badge(text) {
	return h("span", {class: `badge ${TONES[text] ?? "plain"}`}, text);
}

export function tone_of(verdict) {
	return verdict === "leak" ? "bad" : verdict === "suspect" ? "warn" : "";
}

export function tile(label, value, detail, extra) {
	return h("div", {class: "tile"}, h("h3", {}, label), h("p", {class: "big"}, value),
		 extra, detail && h("p", {class: "quiet"}, detail));
}

/* A name that was chosen by others, kept apart from the text around it. */
export function named(text, cls = "") {
	return h("bdi", {class: `name ${cls}`}, text);
}

export function meter(share, label) {
	const fill = h("span", {class: "fill"}), full = Math.min(1, Math.max(0, share || 0));

	fill.style.width = `${100 * full}%`;
	return h("div", {class: `meter ${full > .9 ? "bad" : full > .75 ? "warn" : ""}`, role: "img",
			 "aria-label": label}, fill);
}

export function card(title, ...children) {
	return h("section", {class: "card"}, title && h("h2", {}, title), children);
}

export function list(lines, cls = "") {
	return h("ul", {class: `lines ${cls}`}, lines.map((line) => h("li", {}, fmt.name(line))));
}

/* Where the largest call site is: the innermost frame that has a source line. */
export function where_of(incident) {
	const frames = incident.sites?.[0]?.frames ?? [];

	return frames.find((f) => f.file && f.line) ?? frames[0] ?? null;
}

export function site_of(incident) {
	const frame = where_of(incident);

	return frame && h("code", {class: "site", title: fmt.file_line(frame)}, fmt.function_of(frame),
			  frame.file && h("span", {class: "quiet"}, `  ${fmt.short_line(frame)}`));
}

export function link_to(incident, ...children) {
	return h("a", {href: `/incident/${encodeURIComponent(incident.id)}`,
		       "data-key": incident.id}, children);
}

export function pid_of(o) {
	return fmt.known(o.pid) ? h("span", {class: "pid"}, ` ${o.pid}`) : null;
}

/* The columns that tables of processes, cgroups and pods share. */
export function memory_columns({by}) {
	return [
		{id: "name", label: by === "process" ? "Process" : by === "pod" ? "Pod" : "Cgroup",
		 value: (r) => by === "cgroup" ? fmt.name(r.cgroup) : fmt.title(r),
		 from: (r) => [fmt.title(r), r.pid, r.cmdline, r.verdict],
		 cell: (r) => [h("span", {class: by === "cgroup" ? "who path" : "who",
					  title: fmt.name(r.cmdline ?? r.cgroup)},
				 named(by === "cgroup" ? fmt.name(r.cgroup) : fmt.title(r)), pid_of(r)),
			       h("span", {class: "narrow"}, badge(r.verdict))]},
		...by === "cgroup" ? [] : [{
			id: "place", label: by === "pod" ? "Cgroup" : "Runs in", prio: 3,
			value: (r) => by === "pod" ? fmt.name(r.cgroup) : fmt.place(r),
			cell: (r) => h("span", {class: "place", title: fmt.name(r.cgroup)},
				       named(by === "pod" ? fmt.name(r.cgroup) : fmt.place(r)))}],
		{id: "rss", label: "RSS", number: true, value: (r) => r.rss_bytes,
		 cell: (r) => fmt.bytes(r.rss_bytes), help: "resident memory, files included"},
		{id: "anon", label: "Anon", number: true, prio: 2, value: (r) => r.anon_bytes,
		 cell: (r) => fmt.bytes(r.anon_bytes), help: "memory that no file stands behind"},
		{id: "swap", label: "Swap", number: true, prio: 3, value: (r) => r.swap_bytes,
		 cell: (r) => fmt.bytes(r.swap_bytes)},
		{id: "limit", label: "Limit", number: true, prio: 3, value: (r) => r.limit_bytes,
		 cell: (r) => fmt.bytes(r.limit_bytes)},
		{id: "growth", label: "Growth", number: true, value: (r) => r.growth_bytes_per_hour,
		 cell: (r) => fmt.rate(r.growth_bytes_per_hour),
		 help: "of what is never given back, per hour"},
		{id: "trend", label: "Window", prio: 2, value: (r) => r.growth_bytes_per_hour,
		 from: (r) => [r.history, r.verdict],
		 cell: (r) => sparkline(r.history ?? [], {tone: tone_of(r.verdict)}),
		 help: "memory over the window"},
		{id: "verdict", label: "Verdict", prio: 2, value: (r) => r.verdict, cell: (r) => badge(r.verdict)},
	];
}

export function row_key(row) {
	return fmt.known(row.pid) ? `${row.pid}:${row.start_ns}` : `c:${row.cgroup}`;
}

/*
 * Why "no leak is open" may be less than the whole truth, one sentence each. An empty list means
 * that seep looked at everything for long enough.
 */
export function caveats({agent, leaks, rows = []}) {
	const warming = rows.filter((r) => r.verdict === "warming").length;
	const said = [...agent.problems, ...leaks?.not_seen ?? agent.not_seen];
	const polls = agent.journal?.restored_polls ?? 0;

	if (!polls && agent.uptime_s < agent.window_s)
		said.push(`watching since ${fmt.duration(agent.uptime_s)} only, of a window of ` +
			  `${fmt.duration(agent.window_s)}: slow leaks need longer to be told`);
	if (warming)
		said.push(`${fmt.plural(warming, "process is", "processes are")} too young to be judged`);
	return [...new Set(said)];
}
