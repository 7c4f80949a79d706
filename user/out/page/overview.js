// SPDX-License-Identifier: BSD-2-Clause
/* overview.js - the node in one screen: is something leaking, what, and what is growing. */
import {sparkline} from "./chart.js";
import {h, slot} from "./dom.js";
import * as fmt from "./format.js";
import {Table} from "./table.js";
import {badge, card, caveats, link_to, list, memory_columns, meter, named, pid_of, row_key, site_of,
	tile} from "./parts.js";

const CARDS = 6, GROWERS = 8, ROWS = 200;

export function sources() {
	return {leaks: "/api/leaks", top: `/api/top?by=process&n=${ROWS}`};
}

/* The curves of the incidents that are shown. */
export function more({leaks}) {
	return Object.fromEntries(by_urgency(leaks.incidents).slice(0, CARDS)
		.map((i) => [`curve:${i.id}`, `/api/incident/${encodeURIComponent(i.id)}`]));
}

export function title({leaks}) {
	return leaks.incidents.length ? `${fmt.plural(leaks.incidents.length, "open incident")}` : "Overview";
}

function by_urgency(incidents) {
	const rank = {critical: 0, warning: 1, info: 2};
	const left = (i) => i.verdict.time_to_limit_s ?? Infinity;

	return [...incidents].sort((a, b) => rank[a.severity] - rank[b.severity] || left(a) - left(b) ||
		(b.verdict.slope_bytes_per_hour ?? 0) - (a.verdict.slope_bytes_per_hour ?? 0) ||
		a.id.localeCompare(b.id));
}

function headline(open, unseen) {
	if (open)
		return `${fmt.plural(open, "incident is", "incidents are")} open`;
	return unseen ? "No leak is open in what is seen" : "No leak is open";
}

function hero(data) {
	const {leaks, agent} = data, {watched} = leaks;
	const unseen = caveats({agent, leaks, rows: data.top.rows});

	return [h("h1", {}, headline(leaks.incidents.length, unseen.length)),
		h("p", {class: "lead"}, `${fmt.plural(watched.processes, "process", "processes")} and ` +
		  `${fmt.plural(watched.cgroups, "cgroup")} on `, named(fmt.name(agent.node)),
		  ` are followed from the kernel, over a window of ${fmt.duration(agent.window_s)}.`),
		unseen.length > 1 ? h("details", {class: "unseen-box", open: unseen.length < 4},
			h("summary", {}, "What this does not cover"), list(unseen)) :
		unseen.map((line) => h("p", {class: "lead"}, `Not covered: ${fmt.name(line)}.`))];
}

function tiles({agent, top, leaks}) {
	const {total_bytes: total, available_bytes: available} = top.node;
	const used = total - available, worst = by_urgency(leaks.incidents)[0];

	return [tile("Node memory", fmt.percent(used / total),
		     `${fmt.bytes(used)} of ${fmt.bytes(total)}; ${fmt.bytes(available)} available`,
		     meter(used / total, `${fmt.percent(used / total)} used`)),
		tile("Next limit", worst ? fmt.duration(worst.verdict.time_to_limit_s) : fmt.NONE,
		     worst && fmt.known(worst.verdict.time_to_limit_s) ?
			["until ", named(fmt.title(worst.object)),
			 ` reaches ${fmt.bytes(worst.verdict.limit_bytes)}`] :
			"no open incident is on its way to a limit"),
		tile("Followed", fmt.count(leaks.watched.processes),
		     `processes, and ${fmt.plural(leaks.watched.cgroups, "cgroup")}; a poll each ` +
		     `${agent.interval_s < 1 ? `${1000 * agent.interval_s} ms` : fmt.duration(agent.interval_s)}`),
		tile("Cost of watching", fmt.known(agent.self.cpu_percent) ?
			`${agent.self.cpu_percent.toFixed(1)} %` : fmt.NONE,
		     `of one core, ${fmt.bytes(agent.self.rss_bytes)} of memory`)];
}

function incident_card(incident, curve) {
	const v = incident.verdict, o = incident.object;

	return h("article", {class: `incident-card ${incident.severity}`},
		h("div", {class: "ic-head"}, badge(incident.severity),
		  h("h3", {}, link_to(incident, named(fmt.title(o)), pid_of(o))),
		  h("p", {class: "quiet place"}, named(fmt.place(o)))),
		h("dl", {class: "facts"},
		  h("div", {}, h("dt", {}, "grew"), h("dd", {}, fmt.bytes(v.growth_bytes))),
		  h("div", {}, h("dt", {}, "per hour"), h("dd", {}, fmt.rate(v.slope_bytes_per_hour))),
		  h("div", {}, h("dt", {}, "limit in"), h("dd", {}, fmt.duration(v.time_to_limit_s))),
		  h("div", {}, h("dt", {}, "sure"), h("dd", {}, fmt.percent(v.confidence)))),
		sparkline(curve?.history ?? [], {width: 260, height: 56, tone: "bad", wide: true}),
		h("p", {class: "ic-site"}, site_of(incident) ??
		  h("span", {class: "quiet"}, "no call site known yet")));
}

function cards(data) {
	const open = by_urgency(data.leaks.incidents);

	if (!open.length)
		return [];
	return [h("h2", {}, "Open incidents"),
		h("div", {class: "cards"}, open.slice(0, CARDS)
			.map((i) => incident_card(i, data[`curve:${i.id}`]))),
		open.length > CARDS && h("p", {}, h("a", {href: "/incidents?state=open"},
			`All ${open.length} open incidents`))];
}

function build(root) {
	const columns = memory_columns({by: "process"}).filter((c) => c.id !== "swap");

	root.parts = {
		hero: h("section", {class: "hero"}), tiles: h("section", {class: "tiles"}),
		cards: h("section", {class: "open"}), none: h("p", {class: "quiet"}),
		growers: new Table({caption: "The fastest growing processes", columns, key: row_key,
				    sort: "growth"}),
	};
	const {hero: top, tiles: row, cards: open, growers, none} = root.parts;

	root.replaceChildren(top, row, open, card("Growing fastest", growers.el, none,
		h("p", {class: "more"}, h("a", {href: "/processes"}, "All processes"))));
}

export function show(root, data) {
	if (!root.parts)
		build(root);
	const {hero: top, tiles: row, cards: open, growers, none} = root.parts;
	/* what only just began grows fast and says nothing */
	const growing = data.top.rows
		.filter((r) => r.growth_bytes_per_hour > 0 && r.verdict !== "warming")
		.sort((a, b) => b.growth_bytes_per_hour - a.growth_bytes_per_hour).slice(0, GROWERS);

	slot(top, [data.leaks.watched, data.leaks.not_seen, data.leaks.incidents.length,
		   caveats({agent: data.agent, leaks: data.leaks, rows: data.top.rows})],
	     () => hero(data));
	slot(row, [data.agent.at_s, data.top.node], () => tiles(data));
	slot(open, data.leaks.incidents.map((i) => [i.id, i.updated_s, i.severity]), () => cards(data));
	growers.update(growing);
	growers.el.hidden = !growing.length;
	none.textContent = growing.length ? "" : "Of what is old enough to be judged nothing has grown within the window.";
}
