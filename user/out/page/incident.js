// SPDX-License-Identifier: BSD-2-Clause
/* incident.js - one incident: its curve, what it means, where in the code it comes from. */
import {Chart} from "./chart.js";
import {h, slot} from "./dom.js";
import {Flame} from "./flame.js";
import * as fmt from "./format.js";
import {Table} from "./table.js";
import {badge, card, list, memory_columns, named, pid_of, row_key, tile} from "./parts.js";

const ATTRIBUTES = ["namespace", "workload", "pod", "container", "image", "comm", "pid", "cgroup",
		    "node"];
const RELATED_MAX = 10;
const LISTS = [["growth", "Ten fastest growing processes at that time", "top_growth"],
	       ["pods", "Ten largest pods at that time", "top_pods"],
	       ["pods_growth", "Ten fastest growing pods at that time", "top_pods_growth"]];
const WEIGHTS = {
	kept: {label: "Bytes kept", of: (site) => site.outstanding_bytes, unit: fmt.bytes},
	growth: {label: "Growth per hour", of: (site) => site.growth_bytes_per_hour, unit: fmt.rate},
};

export function sources({id}) {
	return {incident: `/api/incident/${encodeURIComponent(id)}`};
}

/* Those it is related to, by name. */
export function more({incident}) {
	return Object.fromEntries(incident.related.slice(0, RELATED_MAX)
		.map((id) => [`related:${id}`, `/api/incident/${encodeURIComponent(id)}`]));
}

export function title({incident}) {
	return `${fmt.title(incident.object)}, ${incident.id}`;
}

/* ---- head ---- */

function copy_button(label, text) {
	const button = h("button", {type: "button", class: "ghost", "data-key": label, onclick: async () => {
		try {
			await navigator.clipboard.writeText(text());
			button.textContent = "Copied";
		} catch {
			button.textContent = "The browser does not allow it";
		}
		setTimeout(() => { button.textContent = label; }, 1500);
	}}, label);

	return button;
}

function head(i) {
	const o = i.object;

	return [h("p", {class: "crumbs"}, h("a", {href: "/incidents"}, "Incidents"), " / ",
		  h("span", {class: "mono"}, i.id)),
		h("div", {class: "title-row"},
		  h("h1", {}, named(fmt.title(o)), pid_of(o)),
		  h("div", {class: "badges"}, badge(i.severity), badge(i.state),
		    badge(i.kind === "leak" ? i.verdict.class : "memory error")),
		  h("div", {class: "actions"},
		    copy_button("Copy link", () => `${location.origin}/incident/${i.id}`),
		    h("a", {class: "ghost", href: `/api/incident/${encodeURIComponent(i.id)}`,
			    download: `seep-${i.id}.json`}, "Download JSON"))),
		h("p", {class: "quiet lead"}, named(fmt.name(o.cmdline ?? o.cgroup)))];
}

function between(pair, show) {
	const [low, high] = pair ?? [];

	if (!fmt.known(low) || show(low) === show(high))
		return null; /* not known, or narrower than it would be written */
	return `95 %: ${show(low)} to ${fmt.known(high) ? show(high) : "any time later"}`;
}

const ERRORS = {"oom-kill": "OOM kills", "limit-hit": "Limit hits"};

function error_facts(i) {
	return [...i.errors.map((e) => tile(ERRORS[e.kind] ?? e.kind, fmt.count(e.count),
			`the last ${fmt.time(e.last_s)}`)),
		tile("Limit", fmt.bytes(i.verdict.limit_bytes), null),
		tile("Since", fmt.short_time(i.started_s),
		     i.state === "open" ? `open for ${fmt.duration(i.duration_s)}` : i.close_reason ?? "closed")];
}

function facts(i) {
	const v = i.verdict;

	if (i.kind === "memory-error")
		return error_facts(i);

	return [tile("Grew", fmt.bytes(v.growth_bytes),
		     `since ${fmt.time(v.since_s)}`),
		tile("Rate", fmt.rate(v.slope_bytes_per_hour), between(v.slope_ci_bytes_per_hour, fmt.bytes)),
		tile("Limit", fmt.bytes(v.limit_bytes), i.state === "open" && fmt.known(v.time_to_limit_s) ?
			[`reached in ${fmt.duration(v.time_to_limit_s)}`,
			 between(v.time_to_limit_ci_s, fmt.duration)].filter(Boolean).join("; ") :
			i.state === "open" ? "not on its way there" : null),
		tile("Sure", fmt.percent(v.confidence),
		     i.state === "open" ? `open for ${fmt.duration(i.duration_s)}` :
			`was open for ${fmt.duration(i.duration_s)}; ${i.close_reason ?? "closed"}`)];
}

/* ---- curve ---- */

function hits(i) {
	const {time_to_limit_s: left, time_to_limit_ci_s: ci} = i.verdict, now = i.updated_s;

	if (i.state !== "open" || !fmt.known(left))
		return null;
	return [now + left, fmt.known(ci?.[0]) ? now + ci[0] : null, fmt.known(ci?.[1]) ? now + ci[1] : null];
}

function curve(i) {
	const v = i.verdict;

	return {
		points: i.history,
		open: i.state === "open",
		fit: fmt.known(v.slope_bytes_per_hour) && v.slope_bytes_per_hour > 0 ? {
			since_s: v.since_s ?? -Infinity, slope: v.slope_bytes_per_hour,
			low: v.slope_ci_bytes_per_hour?.[0], high: v.slope_ci_bytes_per_hour?.[1],
		} : null,
		limit: v.limit_bytes,
		hits_s: hits(i),
		marks: [{t_s: i.started_s, text: "onset", tone: "onset"},
			{t_s: i.opened_s, text: "incident opened", tone: "opened"},
			{t_s: i.closed_s, text: "closed", tone: "closed"}],
	};
}

function legend(i) {
	return h("ul", {class: "legend"},
		 h("li", {class: "l-curve"}, "memory"),
		 i.verdict.slope_bytes_per_hour > 0 && h("li", {class: "l-fit"}, "fit and its 95 % interval"),
		 fmt.known(i.verdict.limit_bytes) && h("li", {class: "l-limit"}, "limit"));
}

/* ---- code ---- */

function frame_line(frame) {
	const where = fmt.file_line(frame);

	return h("li", {class: where ? "" : "dim"}, h("code", {}, fmt.function_of(frame)),
		 h("span", {class: "quiet"}, where ?? fmt.name(frame.module)),
		 frame.inlined && h("span", {class: "tag"}, "inlined"),
		 frame.kind !== "native" && h("span", {class: "tag"}, frame.kind));
}

function site_part(site, nth, open) {
	const ci = between(site.outstanding_ci_bytes, fmt.bytes);

	return h("details", {class: "site-part", open: open.has(nth),
			     ontoggle: (e) => open[e.target.open ? "add" : "delete"](nth)},
		h("summary", {"data-key": `site${nth}`},
		  h("span", {class: "nth"}, `${nth + 1}`),
		  h("code", {}, fmt.function_of(site.frames.find((f) => f.file) ?? site.frames[0] ?? {})),
		  h("span", {class: "num"}, fmt.bytes(site.outstanding_bytes)),
		  h("span", {class: "num quiet prio2"}, fmt.plural(site.outstanding_count, "block")),
		  h("span", {class: "num quiet prio2"}, fmt.rate(site.growth_bytes_per_hour)),
		  site.verdict !== "unknown" && badge(site.verdict)),
		h("ol", {class: "frames"}, site.frames.map(frame_line)),
		h("p", {class: "quiet small"}, [ci, `allocated through ${site.allocator}`,
			`${fmt.plural(site.samples, "sample")}`,
			fmt.known(site.median_age_s) && `half of it is older than ${fmt.duration(site.median_age_s)}`,
			...site.evidence ?? []].filter(Boolean).join("; ")));
}

/* Bytes by the innermost source line: several stacks may end in one. */
function source_lines(sites) {
	const lines = new Map();

	for (const site of sites) {
		const frame = site.frames.find((f) => f.file && f.line);

		if (!frame)
			continue;
		const where = fmt.file_line(frame);
		const line = lines.get(where) ?? {where, name: fmt.function_of(frame), kept: 0, growth: null, stacks: 0};

		line.kept += site.outstanding_bytes;
		if (fmt.known(site.growth_bytes_per_hour))
			line.growth = (line.growth ?? 0) + site.growth_bytes_per_hour;
		line.stacks++;
		lines.set(where, line);
	}
	return [...lines.values()];
}

function lines_table() {
	return new Table({
		caption: "Source lines", key: (l) => l.where, sort: "kept",
		columns: [
			{id: "line", label: "Source line", value: (l) => l.where,
			 cell: (l) => h("code", {class: "break"}, l.where)},
			{id: "function", label: "Function", value: (l) => l.name, prio: 2,
			 cell: (l) => h("code", {class: "break"}, l.name)},
			{id: "kept", label: "Kept", number: true, value: (l) => l.kept,
			 cell: (l) => fmt.bytes(l.kept)},
			{id: "growth", label: "Growth", number: true, value: (l) => l.growth, prio: 2,
			 cell: (l) => fmt.rate(l.growth)},
			{id: "stacks", label: "Stacks", number: true, value: (l) => l.stacks, prio: 3},
		],
	});
}

function no_sites(i) {
	if (i.not_seen.length)
		return "No call site is known; what was not seen says why.";
	return i.state === "open" ? "No call site is known yet: the closer look has not found one so far." :
		"No call site was found while the incident was open.";
}

function weight_switch(parts, redraw) {
	const buttons = Object.entries(WEIGHTS).map(([id, {label}]) =>
		h("button", {type: "button", "aria-pressed": String(parts.weight === id), onclick: (e) => {
			parts.weight = id;
			for (const b of buttons)
				b.setAttribute("aria-pressed", String(b === e.target));
			redraw();
		}}, label));

	return h("div", {class: "switch", role: "group", "aria-label": "Width of the boxes"}, buttons);
}

function show_sites(root, i) {
	const {parts} = root;
	const redraw = () => parts.flame.update(root.incident.sites, WEIGHTS[parts.weight].of,
						 WEIGHTS[parts.weight].unit);

	parts.code.hidden = !i.sites.length;
	parts.no_code.hidden = Boolean(i.sites.length);
	slot(parts.no_code, [no_sites(i)], () => h("p", {class: "quiet"}, no_sites(i)));
	slot(parts.weights, i.sites.length > 0, () => weight_switch(parts, redraw));
	if (JSON.stringify(i.sites) !== parts.drawn) {
		parts.drawn = JSON.stringify(i.sites);
		redraw();
	}
	slot(parts.stacks, i.sites, () => i.sites.map((site, n) => site_part(site, n, parts.open)));
	parts.lines.update(source_lines(i.sites));
}

/* ---- objects of a runtime that lets others count them ---- */

function objects_table() {
	return new Table({caption: "Types that grew since the first look", key: (t) => t.type ?? "", sort: "added",
		columns: [
			{id: "type", label: "Type", value: (t) => t.type ?? "", cell: (t) =>
				t.type === null ? h("span", {class: "quiet"}, "no object: tables, lists' items, buffers") :
					named(fmt.name(t.type))},
			{id: "added_objects", label: "Added", number: true, value: (t) => t.added_objects},
			{id: "added", label: "Added bytes", number: true, value: (t) => t.added_bytes,
			 cell: (t) => fmt.bytes(t.added_bytes)},
			{id: "objects", label: "Objects", number: true, value: (t) => t.objects, prio: 2},
			{id: "bytes", label: "Bytes", number: true, value: (t) => t.bytes, prio: 3,
			 cell: (t) => fmt.bytes(t.bytes)},
		]});
}

function show_objects(parts, objects) {
	parts.objects_card.hidden = !objects?.types.length;
	if (parts.objects_card.hidden)
		return;
	slot(parts.objects_span, [objects.span_s], () => h("p", {class: "quiet"},
		`${objects.runtime}; what was added within ${fmt.duration(objects.span_s)}`));
	parts.objects.update(objects.types);
}

/* ---- the rest ---- */

function attributes(i) {
	const o = i.object;
	const pairs = ATTRIBUTES.filter((k) => o[k] !== null && o[k] !== undefined)
		.map((k) => [k, String(o[k])]);
	const query = (k, v) => `${k}=${/\s/.test(v) ? `"${v.replaceAll('"', "*")}"` : v}`;

	return [h("dl", {class: "attributes"}, pairs.map(([k, v]) => h("div", {},
			h("dt", {}, k), h("dd", {}, h("a", {"data-key": `attribute ${k}`,
				title: "other incidents with it",
				href: `/incidents?q=${encodeURIComponent(query(k, v))}`}, named(fmt.name(v))))))),
		copy_button("Copy as key=value", () => i.attributes.join("\n"))];
}

function timeline(i) {
	return h("ol", {class: "timeline"}, i.timeline.map((e) => h("li", {},
		h("time", {datetime: new Date(e.t_s * 1000).toISOString()}, fmt.time(e.t_s)),
		h("span", {}, fmt.name(e.text)))));
}

function related(i, others) {
	if (!i.related.length)
		return h("p", {class: "quiet"}, "No other incident is known to belong to this one.");
	return h("ul", {class: "related"}, i.related.map((id) => {
		const other = others[id];

		return h("li", {}, h("a", {href: `/incident/${encodeURIComponent(id)}`, "data-key": id},
				     other ? [named(fmt.title(other.object)), pid_of(other.object)] : id),
			 other && [badge(other.state), h("span", {class: "quiet"},
				`since ${fmt.short_time(other.started_s ?? other.opened_s)}, ` +
				`grew ${fmt.bytes(other.verdict.growth_bytes)}`)]);
	}));
}

function judged_with(c) {
	if (!c)
		return h("p", {class: "quiet"}, "That was not kept.");
	return h("dl", {class: "attributes"}, [
		["window", fmt.duration(c.window_s)], ["interval", fmt.duration(c.interval_s)],
		["rule", c.rule?.name ?? "none"], ["closer look", c.drill],
	].map(([k, v]) => h("div", {}, h("dt", {}, k), h("dd", {}, named(fmt.name(v))))));
}

function notified(i) {
	return i.notified.length ? h("ol", {class: "timeline"}, i.notified.map((n) => h("li", {},
		h("time", {datetime: new Date(n.t_s * 1000).toISOString()}, fmt.time(n.t_s)),
		h("span", {}, fmt.name(`${n.target} (${n.type}): ${n.state}`))))) :
		h("p", {class: "quiet"}, "Nobody has been told.");
}

function top_table(by) {
	return new Table({caption: "The largest at that time", key: row_key, sort: "rss",
			  columns: memory_columns({by})});
}

function build(root) {
	const part = (cls) => h("div", {class: cls});
	const parts = root.parts = {
		head: h("section", {class: "hero"}), facts: h("section", {class: "tiles"}),
		legend: part(), chart: new Chart("memory over time"), meaning: part("prose"),
		evidence: part(), attributes: part(), timeline: part(), not_seen: part(),
		related: part(), code: part(), no_code: part(), weights: part(), stacks: part(),
		flame: new Flame(), lines: lines_table(), top: top_table("process"),
		pods: top_table("pod"), pods_card: part(), growth: top_table("process"),
		growth_card: part(), pods_growth: top_table("pod"), pods_growth_card: part(),
		objects: objects_table(), objects_span: part(), objects_card: part(),
		configuration: part(), notified: part(), weight: "kept", open: new Set([0]),
	};

	parts.code.append(parts.weights, parts.flame.el,
			  h("h3", {}, "Call stacks, largest first"), parts.stacks,
			  h("h3", {}, "Source lines"), parts.lines.el);
	parts.objects_card.append(card("Which objects pile up", parts.objects_span, parts.objects.el));
	for (const [name, caption] of LISTS)
		parts[`${name}_card`].append(card(caption, parts[name].el));
	root.replaceChildren(parts.head, parts.facts, card("Memory over time", parts.legend, parts.chart.el),
		card("Where it is allocated and kept", parts.code, parts.no_code), parts.objects_card,
		h("div", {class: "columns"},
		  h("div", {}, card("What it means", parts.meaning), card("Evidence", parts.evidence),
		      card("Related", parts.related)),
		  h("div", {}, card("Whose it is", parts.attributes), card("What happened", parts.timeline),
		    card("Who was told", parts.notified), card("Judged with", parts.configuration),
		    card("What was not seen", parts.not_seen))),
		card("Ten largest processes at that time", parts.top.el), ...LISTS.map(([name]) => parts[`${name}_card`]));
}

export function show(root, {incident: i, ...more_of}) {
	if (!root.parts)
		build(root);
	const {parts} = root;

	root.incident = i;
	slot(parts.head, [i.object, i.severity, i.state, i.verdict.class], () => head(i));
	slot(parts.notified, i.notified, () => notified(i));
	slot(parts.configuration, i.configuration, () => judged_with(i.configuration));
	slot(parts.facts, [i.verdict, i.errors, i.duration_s], () => facts(i));
	slot(parts.legend, [i.verdict.slope_bytes_per_hour > 0, i.verdict.limit_bytes], () => legend(i));
	parts.chart.update(curve(i));
	slot(parts.meaning, i.explanation, () => h("p", {}, fmt.name(i.explanation)));
	slot(parts.evidence, i.verdict.evidence, () => list(i.verdict.evidence));
	slot(parts.attributes, i.object, () => attributes(i));
	slot(parts.timeline, i.timeline, () => timeline(i));
	slot(parts.not_seen, i.not_seen, () => i.not_seen.length ? list(i.not_seen) :
		h("p", {class: "quiet"}, "Nothing that seep knows of."));
	const others = Object.fromEntries(i.related.map((id) => [id, more_of[`related:${id}`]]));

	slot(parts.related, Object.values(others).map((o) => [o?.state, o?.verdict.growth_bytes]),
	     () => related(i, others));
	show_sites(root, i);
	show_objects(parts, i.objects);
	parts.top.update(i.top);
	for (const [name, , rows] of LISTS) {
		parts[name].update(i[rows]);
		parts[`${name}_card`].hidden = !i[rows].length;
	}
}
