// SPDX-License-Identifier: BSD-2-Clause
/* status.js - how the agent itself is: health, probes, what was dropped, what it costs. */
import {h, slot} from "./dom.js";
import * as fmt from "./format.js";
import {card, list, meter, named, tile} from "./parts.js";
import {Table} from "./table.js";

export function sources() {
	return {};
}

export function title() {
	return "Status";
}

function pairs(rows) {
	return h("dl", {class: "pairs"}, rows.map(([key, value, cls]) => h("div", {class: cls},
		h("dt", {}, key), h("dd", {}, value))));
}

const words = (key) => key.replaceAll("_", " ");

function hero({agent: a}) {
	const ok = a.health === "ok";

	return [h("h1", {}, ok ? "The agent is well" : "The agent is degraded"),
		h("p", {class: "lead"}, `seep ${a.version}, process ${a.pid} on `, named(fmt.name(a.node)),
		  `, up for ${fmt.duration(a.uptime_s)}.`),
		a.problems.length ? h("div", {class: "unseen-box"}, h("h2", {}, "Problems"), list(a.problems)) : null];
}

function tiles({agent: a}) {
	const self = a.self;

	return [tile("CPU of the agent", fmt.known(self.cpu_percent) ? `${self.cpu_percent.toFixed(2)} %` : fmt.NONE,
		     "of one core, at the last poll"),
		tile("Memory of the agent", fmt.bytes(self.rss_bytes), `and ${fmt.bytes(self.map_bytes)} of BPF maps`),
		tile("Last poll", fmt.nanoseconds(a.poll.duration_ns),
		     `at ${fmt.clock(a.poll.last_s)}; the longest took ${fmt.nanoseconds(a.poll.max_duration_ns)}`),
		tile("Open incidents", fmt.count(a.incidents.open),
		     `${fmt.plural(a.history?.incidents ?? 0, "incident")} in the history`)];
}

function probes(a) {
	return [pairs([["sizes", a.probes.rss], ["poll", a.probes.poll], ["lifecycle", a.probes.lifecycle]]),
		a.probes.reason && h("p", {class: "quiet"}, fmt.name(a.probes.reason))];
}

function dropped(a) {
	const rows = Object.entries(a.dropped);
	const lost = rows.filter(([, n]) => n > 0);

	return [h("p", {class: "quiet"}, lost.length ? "Since the start, by reason:" :
		  "Nothing was dropped since the start."),
		pairs(rows.map(([key, n]) => [words(key), fmt.count(n), n > 0 ? "hot" : ""]))];
}

function polls(a) {
	const every = a.interval_s < 1 ? `${1000 * a.interval_s} ms` : fmt.duration(a.interval_s);

	return pairs([["interval", every], ["window", fmt.duration(a.window_s)],
		      ["polls", fmt.count(a.poll.cnt)],
		      ["late", fmt.count(a.poll.late), a.poll.late ? "hot" : ""],
		      ["failed", fmt.count(a.poll.failed), a.poll.failed ? "hot" : ""],
		      ["restored at the start", fmt.count(a.journal?.restored_polls)]]);
}

function fill(label, used, max) {
	return h("div", {class: "fill-row"}, h("span", {}, label), meter(used / max, `${used} of ${max}`),
		 h("span", {class: "num"}, `${fmt.count(used)} / ${fmt.count(max)}`));
}

function room(a) {
	return [fill("series", a.tracked.series, a.tracked.max_series),
		...Object.entries(a.maps).map(([name, map]) => fill(fmt.name(name), map.used, map.max))];
}

function inspections(a) {
	const last = a.last_inspection;

	if (!last)
		return h("p", {class: "quiet"}, "None has run yet; leaks are looked for all the time.");
	return pairs([["last", fmt.time(last.at_s)], ["asked for by", fmt.name(last.trigger)],
		      ["took", fmt.nanoseconds(1e9 * last.took_s)],
		      ["complete", last.complete ? "yes" : "no", last.complete ? "" : "hot"],
		      ["candidates", fmt.count(last.candidates)], ["reported", fmt.count(last.reported)],
		      ["next", fmt.time(last.next_s)]]);
}

function state(a) {
	return pairs([["directory", named(fmt.name(a.state_dir))],
		      ["sizes", a.journal?.error ? fmt.name(a.journal.error) : `${fmt.bytes(a.journal?.bytes)}, saved`,
		       a.journal?.error ? "hot" : ""],
		      ["incidents", a.history?.error ? fmt.name(a.history.error) : `${fmt.bytes(a.history?.bytes)}, saved`,
		       a.history?.error ? "hot" : ""]]);
}

function events(a) {
	return pairs(Object.entries(a.events).map(([key, n]) => [words(key), fmt.count(n)]));
}

function targets_table() {
	return new Table({
		caption: "What the closer looks cost the processes", key: (t) => String(t.pid), sort: "cost",
		columns: [
			{id: "name", label: "Process", value: (t) => fmt.name(t.comm), from: (t) => [t.comm, t.pid],
			 cell: (t) => h("span", {class: "who"}, named(fmt.name(t.comm)),
				       h("span", {class: "pid"}, ` ${t.pid}`))},
			{id: "slices", label: "Slices", number: true, prio: 2, value: (t) => t.slices},
			{id: "hits", label: "Probe hits", number: true, prio: 2, value: (t) => t.hits,
			 cell: (t) => fmt.count(t.hits)},
			{id: "duty", label: "Probed", number: true, prio: 3, value: (t) => t.duty_percent,
			 cell: (t) => `${t.duty_percent.toFixed(0)} %`, help: "of the time"},
			{id: "cost", label: "Cost", number: true, value: (t) => t.cost_percent,
			 cell: (t) => `${t.cost_percent.toFixed(3)} %`, help: "of one core"},
		],
	});
}

function ooms(a) {
	if (!a.oom_kills.length)
		return h("p", {class: "quiet"}, "None since the start.");
	return h("ul", {class: "lines"}, a.oom_kills.map((kill) => h("li", {},
		`${fmt.time(kill.at_s)}  `, named(fmt.name(kill.comm)), ` ${kill.pid}, ${fmt.bytes(kill.bytes)}`)));
}

const CARDS = [
	["Probes", probes, ["probes"]], ["Polls", polls, ["poll", "journal"]],
	["Inspections", inspections, ["last_inspection"]], ["Dropped", dropped, ["dropped"]], ["Room", room, ["tracked", "maps"]],
	["Kernel events", events, ["events"]], ["State on disk", state, ["journal", "history"]],
	["OOM kills", ooms, ["oom_kills"]],
];

function build(root) {
	root.hero = h("section", {class: "hero"});
	root.tiles = h("section", {class: "tiles"});
	root.not_seen = h("div");
	root.cards = CARDS.map(([label]) => [h("div"), label]);
	root.targets = targets_table();
	root.no_targets = h("p", {class: "quiet"});
	root.replaceChildren(root.hero, root.tiles,
		h("div", {class: "grid"}, card("Not seen", root.not_seen),
		  root.cards.map(([el, label]) => card(label, el))),
		card("Closer looks, and what they cost", root.targets.el, root.no_targets));
}

export function show(root, data) {
	const a = data.agent;

	if (!root.hero)
		build(root);
	slot(root.hero, [a.health, a.problems, a.uptime_s], () => hero(data));
	slot(root.tiles, [a.self, a.poll, a.incidents], () => tiles(data));
	slot(root.not_seen, a.not_seen, () => a.not_seen.length ? list(a.not_seen) :
		h("p", {class: "quiet"}, "Everything that seep looks for is seen."));
	CARDS.forEach(([, make, keys], i) => slot(root.cards[i][0], keys.map((key) => a[key]), () => make(a)));
	root.targets.update(a.targets);
	root.targets.el.hidden = !a.targets.length;
	root.no_targets.textContent = a.targets.length ? "" : "No process is being looked at closer.";
}
