// SPDX-License-Identifier: BSD-2-Clause
/*
 * incidents.js - the history: every incident that is kept, filtered and sorted.
 *
 * The filter is words that must all occur, and key=value pairs (pod=api-*, state=open), where * is
 * anything. It stands in the address, so that a filtered list can be passed on.
 */
import {h, slot} from "./dom.js";
import * as fmt from "./format.js";
import {Table} from "./table.js";
import {badge, card, caveats, link_to, list, named, pid_of, site_of, where_of} from "./parts.js";

export const PERIOD_MS = 15000; /* the agent reads its whole history for it */

const KEPT_MAX = 1000; /* closed ones that one answer holds, the newest */

export function sources() {
	return {leaks: "/api/leaks?all=1"};
}

export function title() {
	return "Incidents";
}

/* ---- filtering ---- */

function glob(pattern) {
	const escaped = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));

	return new RegExp(`^${escaped.join(".*")}$`, "i");
}

/* Words and key=value pairs, quoted where they hold blanks. */
function parse(text) {
	const terms = text.match(/(?:[^\s"]+|"[^"]*"?)+/g) ?? [];

	return terms.map((term) => {
		const [, key, value] = /^([a-z_]+)=(.*)$/s.exec(term.replaceAll('"', "")) ?? [];

		return key ? {key, pattern: glob(value)} : {word: term.replaceAll('"', "").toLowerCase()};
	});
}

function value_of(incident, key) {
	return incident[key] ?? incident.object[key] ?? incident.verdict[key];
}

function text_of(incident) {
	const where = where_of(incident) ?? {};

	return [incident.id, incident.kind, incident.state, incident.severity, incident.verdict.class,
		where.function, where.file, ...Object.values(incident.object)].join(" ").toLowerCase();
}

function filtered(incidents, {text, state, severity}) {
	const terms = parse(text);

	return incidents.filter((i) => (!state || i.state === state) &&
		(!severity || i.severity === severity) &&
		terms.every(({key, pattern, word}) => key ? pattern.test(String(value_of(i, key) ?? "")) :
			text_of(i).includes(word)));
}

/* ---- the view ---- */

function moment(t_s) {
	return h("time", {title: fmt.time(t_s)}, fmt.short_time(t_s));
}

const SEVERITIES = ["info", "warning", "critical"];

const columns = [
	{id: "severity", label: "Severity", prio: 2, value: (i) => SEVERITIES.indexOf(i.severity),
	 cell: (i) => badge(i.severity)},
	{id: "object", label: "Who", value: (i) => fmt.title(i.object),
	 from: (i) => [fmt.title(i.object), i.object.pid, where_of(i), i.severity, i.state],
	 cell: (i) => [link_to(i, h("span", {class: "who"}, named(fmt.title(i.object)), pid_of(i.object))),
		       site_of(i), h("span", {class: "narrow"}, badge(i.severity), " ", badge(i.state))]},
	{id: "place", label: "Runs in", prio: 3, value: (i) => fmt.place(i.object),
	 cell: (i) => h("span", {class: "place"}, named(fmt.place(i.object)))},
	{id: "started", label: "Onset", number: true, prio: 3, value: (i) => i.started_s,
	 cell: (i) => moment(i.started_s)},
	{id: "opened", label: "Opened", number: true, prio: 2, value: (i) => i.opened_s,
	 cell: (i) => moment(i.opened_s)},
	{id: "closed", label: "Recovered", number: true, prio: 3, value: (i) => i.closed_s,
	 cell: (i) => moment(i.closed_s)},
	{id: "duration", label: "Lasted", number: true, prio: 2, value: (i) => i.duration_s,
	 cell: (i) => fmt.duration(i.duration_s)},
	{id: "grew", label: "Grew", number: true, value: (i) => i.verdict.growth_bytes,
	 cell: (i) => fmt.bytes(i.verdict.growth_bytes)},
	{id: "rate", label: "Rate", number: true, prio: 3, value: (i) => i.verdict.slope_bytes_per_hour,
	 cell: (i) => fmt.rate(i.verdict.slope_bytes_per_hour)},
	{id: "state", label: "State", prio: 2, value: (i) => i.state, cell: (i) => badge(i.state)},
];

function select(label, words, value, onchange) {
	return h("label", {}, h("span", {class: "unseen"}, label), h("select", {onchange},
		h("option", {value: ""}, label),
		words.map((w) => h("option", {value: w, selected: w === value}, w))));
}

function save_address(wanted) {
	const query = new URLSearchParams();

	for (const [key, value] of [["q", wanted.text], ["state", wanted.state],
				    ["severity", wanted.severity], ["sort", wanted.sort]])
		if (value)
			query.set(key, value);
	history.replaceState(null, "", `/incidents${query.size ? `?${query}` : ""}`);
}

function build(root, query) {
	const [sort = "opened", down = "down"] = (query.get("sort") ?? "").split(".").filter(Boolean);
	const wanted = root.wanted = {text: query.get("q") ?? "", state: query.get("state") ?? "",
				      severity: query.get("severity") ?? "", sort: query.get("sort")};
	const change = (key) => (event) => {
		wanted[key] = event.target.value;
		save_address(wanted);
		refresh(root);
	};

	root.table = new Table({caption: "Incidents", columns, key: (i) => i.id,
				sort: columns.some((c) => c.id === sort) ? sort : "opened",
				down: down === "down", on_sort: (id, is_down) => {
		wanted.sort = `${id}.${is_down ? "down" : "up"}`;
		save_address(wanted);
	}});
	root.count = h("p", {class: "quiet", role: "status"});
	root.none = h("div", {class: "none"});
	root.replaceChildren(h("section", {class: "hero"}, h("h1", {}, "Incidents"), root.count),
		h("form", {class: "filters", role: "search", onsubmit: (e) => e.preventDefault()},
		  h("input", {type: "search", value: wanted.text, oninput: change("text"), name: "q",
			      "aria-label": "Filter", placeholder: "Filter: words, or pod=api-* state=open",
			      spellcheck: "false", autocomplete: "off"}),
		  select("Any state", ["open", "closed"], wanted.state, change("state")),
		  select("Any severity", ["critical", "warning", "info"], wanted.severity, change("severity"))),
		card(null, root.table.el, root.none));
}

function refresh(root) {
	const {leaks, agent} = root.data, all = leaks.incidents;
	const rows = filtered(all, root.wanted);
	const unseen = caveats({agent, leaks});

	root.count.textContent = (rows.length === all.length ? `${fmt.plural(all.length, "incident")} kept` :
		`${fmt.count(rows.length)} of ${fmt.plural(all.length, "incident")}`) +
		(all.length >= KEPT_MAX ? "; older ones: seep leaks --until AGE" : "");
	root.table.update(rows);
	root.table.el.hidden = !rows.length;
	slot(root.none, [rows.length, all.length, unseen], () => rows.length ? [] : all.length ?
		h("p", {}, "No incident fits the filter.") :
		[h("p", {}, "No incident has been opened so far."),
		 unseen.length ? [h("p", {class: "quiet"}, "This is about what was seen:"), list(unseen)] : null]);
}

export function show(root, data, {query}) {
	root.data = data;
	if (!root.table)
		build(root, query);
	refresh(root);
}
