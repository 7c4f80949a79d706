// SPDX-License-Identifier: BSD-2-Clause
/* live.js - live tables: processes, cgroups or pods, sorted and filtered. */
import {h} from "./dom.js";
import * as fmt from "./format.js";
import {Table} from "./table.js";
import {card, memory_columns, row_key} from "./parts.js";

const ROWS = 250, ROWS_MAX = 9999;
const TITLES = {process: "Processes", cgroup: "Cgroups", pod: "Pods"};
const NONE = {
	process: "No process has been polled yet.",
	cgroup: "No memory cgroup is seen: either none is mounted, or none has processes.",
	pod: "No container is seen among the cgroups of this node.",
};

function text_of(row) {
	return [row.comm, row.pid, row.cmdline, row.cgroup, row.container, row.pod, row.namespace,
		row.workload, row.verdict].join(" ").toLowerCase();
}

function refresh(root, kind) {
	const all = root.rows, words = root.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
	const rows = all.filter((row) => words.every((word) => text_of(row).includes(word)));

	root.table.update(rows);
	root.table.el.hidden = !rows.length;
	root.none.textContent = rows.length ? "" : all.length ? "Nothing fits the filter." : NONE[kind];
	root.count.textContent = rows.length === all.length ?
		`${fmt.count(all.length)} shown, leaks and suspects first, as of ${fmt.clock(root.at_s)}` :
		`${fmt.count(rows.length)} of ${fmt.count(all.length)}, as of ${fmt.clock(root.at_s)}`;
	root.cut.hidden = all.length < root.wanted;
}

function build(root, kind, query) {
	root.wanted = ROWS;
	root.table = new Table({caption: TITLES[kind], columns: memory_columns({by: kind}),
				key: row_key});
	root.filter = h("input", {type: "search", name: "q", "aria-label": "Filter", value: query.get("q"),
				  placeholder: "Filter by name, PID, command line, cgroup, verdict",
				  spellcheck: "false", autocomplete: "off",
				  oninput: () => refresh(root, kind)});
	root.count = h("p", {class: "quiet", role: "status"});
	root.none = h("p", {class: "none"});
	root.cut = h("p", {class: "quiet", hidden: true},
		     `Only the ${ROWS} most interesting are shown: leaks, suspects, then the largest. `,
		     h("a", {href: "?all=1"}, "Show all"));
	root.replaceChildren(h("section", {class: "hero"}, h("h1", {}, TITLES[kind]), root.count),
		h("form", {class: "filters", role: "search", onsubmit: (e) => e.preventDefault()}, root.filter),
		card(null, root.table.el, root.none, root.cut));
}

/* The view of one kind of rows. */
export function by(kind) {
	return {
		sources: ({query}) => ({
			top: `/api/top?by=${kind}&n=${query.has("all") ? ROWS_MAX : ROWS}`,
		}),
		title: () => TITLES[kind],
		show: (root, {top}, {query}) => {
			if (!root.table)
				build(root, kind, query);
			root.wanted = query.has("all") ? ROWS_MAX : ROWS;
			root.rows = top.rows;
			root.at_s = top.at_s;
			refresh(root, kind);
		},
	};
}
