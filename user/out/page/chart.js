// SPDX-License-Identifier: BSD-2-Clause
/*
 * chart.js - memory over time: the small curve of a row, and the large one of an incident.
 *
 * Points are [t_s, bytes]. Where none came for several intervals the curve is broken, not drawn
 * through: nobody knows what was there. Colours are the style sheet's.
 */
import {h, s} from "./dom.js";
import * as fmt from "./format.js";

const GAP = 4; /* usual distances without a point that are a hole */
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600,
		    43200, 86400, 172800, 604800];

/* ---- shapes ---- */

function usual_distance(points) {
	const distances = points.slice(1).map(([t], i) => t - points[i][0]).sort((a, b) => a - b);

	/* times are whole seconds: closer ones are not told apart */
	return Math.max(1, distances[distances.length >> 1] ?? 1);
}

/* The curve's parts between holes. */
function runs(points) {
	const hole = GAP * usual_distance(points);
	const parts = [];

	points.forEach((point, i) => {
		if (!i || point[0] - points[i - 1][0] > hole)
			parts.push([]);
		parts.at(-1).push(point);
	});
	return parts;
}

const at = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;

function line_path(points, x, y) {
	return runs(points).map((run) =>
		`M${run.map(([t, v]) => at(x(t), y(v))).join("L")}${run.length < 2 ? "h.1" : ""}`).join("");
}

function area_path(points, x, y, floor) {
	return runs(points).map((run) =>
		`M${at(x(run[0][0]), floor)}L${run.map(([t, v]) => at(x(t), y(v))).join("L")}` +
		`L${at(x(run.at(-1)[0]), floor)}Z`).join("");
}

function scale(from, to, low, high) {
	const factor = (high - low) / (to - from || 1);

	return (value) => low + (value - from) * factor;
}

/* ---- the small one ---- */

export function sparkline(points, {width = 112, height = 26, tone = "", wide = false} = {}) {
	const sizes = points.map(([, v]) => v);
	const low = Math.min(...sizes), high = Math.max(...sizes);
	/* noise of a percent must not look like growth */
	const span = Math.max(high - low, high * .02, 1), middle = (low + high) / 2;
	const svg = s("svg", {class: `spark ${tone}`, width, height, viewBox: `0 0 ${width} ${height}`,
			      preserveAspectRatio: wide ? "none" : null, role: "img",
			      "aria-label": points.length ?
				`from ${fmt.bytes(sizes[0])} to ${fmt.bytes(sizes.at(-1))}` : "no data"});

	if (points.length < 2)
		return svg;
	const x = scale(points[0][0], points.at(-1)[0], wide ? 0 : 1, wide ? width : width - 3);
	const y = scale(middle - span / 2, middle + span / 2, height - 3, 3);

	svg.append(s("path", {class: "area", d: area_path(points, x, y, height)}),
		   s("path", {class: "line", d: line_path(points, x, y)}));
	if (!wide)
		svg.append(s("circle", {class: "end", r: 1.8, cx: x(points.at(-1)[0]), cy: y(sizes.at(-1))}));
	return svg;
}

/* ---- axes ---- */

function size_ticks(low, high, wanted) {
	const unit = 1024 ** Math.max(0, Math.floor(Math.log(Math.max(high, 1)) / Math.log(1024)));
	const rough = (high - low) / unit / wanted;
	const power = 10 ** Math.floor(Math.log10(rough));
	const step = [1, 2, 5, 10].find((n) => n * power >= rough) * power * unit;
	const ticks = [];

	for (let v = Math.ceil(low / step) * step; v <= high * 1.0001; v += step)
		ticks.push(v);
	return ticks;
}

function time_ticks(from, to, wanted) {
	const step = TIME_STEPS.find((n) => (to - from) / n <= wanted) ?? TIME_STEPS.at(-1);
	const shift = new Date(from * 1000).getTimezoneOffset() * 60;
	const ticks = [];

	for (let t = Math.ceil((from - shift) / step) * step + shift; t <= to; t += step)
		ticks.push(t);
	return [ticks, step];
}

function tick_label(t, step) {
	if (step >= 86400)
		return fmt.day(t).slice(5);
	return fmt.clock(t, step < 60);
}

/* ---- the fit ---- */

/* The middle of the fitted stretch, on the floor, through which line and interval turn. */
function pivot(points, fit) {
	const inside = points.filter(([t]) => t >= fit.since_s);

	if (inside.length < 2 || !fmt.known(fit.slope))
		return null;
	const t = (inside[0][0] + inside.at(-1)[0]) / 2;
	const rests = inside.map(([ti, v]) => v - fit.slope / 3600 * (ti - t)).sort((a, b) => a - b);

	return {t, v: rests[Math.floor(rests.length * .3)], from: inside[0][0]};
}

function line_at(p, slope, t) {
	return p.v + slope / 3600 * (t - p.t);
}

/* ---- the large one ---- */

const HEIGHT = 340, LEFT = 66, RIGHT = 16, TOP = 30, BOTTOM = 30, LETTER = 7.2;

/*
 * Chart.update({points, fit: {since_s, slope, low, high}, limit, hits_s, marks: [{t_s, text}]}):
 * all but points may be null. hits_s: [expected, from, to], the times at which the limit is hit.
 */
export class Chart {
	constructor(label) {
		this.tip = h("div", {class: "tip", hidden: true});
		this.said = h("p", {class: "unseen", "aria-live": "polite"});
		this.svg = s("svg", {class: "chart", tabindex: 0, role: "img", "aria-label": label,
				     "aria-roledescription": "line chart; left and right arrow read values"});
		this.el = h("div", {class: "chart-box"}, this.svg, this.tip, this.said);
		this.svg.addEventListener("pointermove", (e) => this.point_at(e));
		this.svg.addEventListener("pointerleave", () => this.hide());
		this.svg.addEventListener("blur", () => this.hide());
		this.svg.addEventListener("keydown", (e) => this.on_key(e));
		new ResizeObserver(() => this.draw()).observe(this.el);
	}

	update(data) {
		this.data = data;
		this.draw();
	}

	/* How far to the right: as far as the limit, if that is near, or a bit into the future. */
	end_of_time(first, last) {
		const {fit, hits_s} = this.data, span = last - first;

		if (!fit || !hits_s)
			return fit && this.data.open ? last + .15 * span : last;
		const hit = hits_s[2] ?? hits_s[0];

		return hit - last < 1.2 * span ? hit + .06 * span : last + .15 * span;
	}

	frame() {
		const {points, limit, fit, hits_s} = this.data;
		const first = points[0][0], last = points.at(-1)[0];
		const end = this.end_of_time(first, last);
		const sizes = points.map(([, v]) => v);
		let low = Math.min(...sizes), high = Math.max(...sizes);

		this.pivot = fit && pivot(points, fit);
		if (this.pivot)
			high = Math.max(high, line_at(this.pivot, fit.slope, end));
		this.limit_shown = limit && (limit <= high * 1.25 || (hits_s && hits_s[0] <= end));
		if (this.limit_shown)
			high = Math.max(high, limit * 1.03);
		low = low < .6 * high ? 0 : Math.max(0, low - .25 * (high - low));
		return {first, last, end, low, high: high + .06 * (high - low || high || 1)};
	}

	draw() {
		const width = Math.round(this.el.clientWidth);

		if (!this.data || !width)
			return;
		this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
		this.svg.setAttribute("height", HEIGHT);
		this.svg.replaceChildren();
		if (this.data.points.length < 2) {
			this.svg.append(s("text", {class: "none", x: width / 2, y: HEIGHT / 2},
					  "no curve was kept"));
			return;
		}
		const f = this.frame();

		this.width = width;
		this.x = scale(f.first, f.end, LEFT, width - RIGHT);
		this.y = scale(f.low, f.high, HEIGHT - BOTTOM, TOP);
		this.svg.append(this.axes(f), this.future(f), this.curve(), this.fit(f), this.limit(f),
				this.marks(f), this.cursor());
		if (this.read_at !== undefined)
			this.read(Math.min(this.read_at, this.data.points.length - 1));
	}

	axes(f) {
		const [times, step] = time_ticks(f.first, f.end, Math.max(3, (this.width - LEFT) / 90));
		const g = s("g", {class: "axes", "aria-hidden": "true"});

		for (const v of size_ticks(f.low, f.high, 5))
			g.append(s("path", {class: "grid", d: `M${LEFT} ${this.y(v)}H${this.width - RIGHT}`}),
				 s("text", {class: "v", x: LEFT - 10, y: this.y(v) + 4},
				   fmt.bytes(v).replace(/\.0+ /, " ")));
		for (const t of times)
			g.append(s("path", {class: "tick", d: `M${this.x(t)} ${HEIGHT - BOTTOM}v5`}),
				 s("text", {class: "t", x: this.x(t), y: HEIGHT - 8}, tick_label(t, step)));
		return g;
	}

	/* Beyond the last point nothing was measured. */
	future(f) {
		if (f.end <= f.last)
			return s("g");
		return s("rect", {class: "future", x: this.x(f.last), y: TOP,
				  width: this.x(f.end) - this.x(f.last), height: HEIGHT - BOTTOM - TOP});
	}

	curve() {
		const {points} = this.data;

		return s("g", {class: "curve"},
			 s("path", {class: "area", d: area_path(points, this.x, this.y, HEIGHT - BOTTOM)}),
			 s("path", {class: "line", d: line_path(points, this.x, this.y)}));
	}

	fit(f) {
		const {fit} = this.data, p = this.pivot, g = s("g", {class: "fit"});

		if (!p)
			return g;
		const y = (slope, t) => Math.max(TOP, this.y(line_at(p, slope, t)));
		const xs = [this.x(p.from), this.x(f.end)], low = fit.low ?? fit.slope,
		      high = fit.high ?? fit.slope;

		g.append(s("path", {class: "band", d:
			`M${at(xs[0], y(low, p.from))}L${at(xs[1], y(high, f.end))}` +
			`L${at(xs[1], y(low, f.end))}L${at(xs[0], y(high, p.from))}Z`}),
			 s("path", {class: "slope", d:
			`M${at(xs[0], y(fit.slope, p.from))}L${at(xs[1], y(fit.slope, f.end))}`}));
		return g;
	}

	limit(f) {
		const {limit, hits_s} = this.data, g = s("g", {class: "limit"});

		if (!limit)
			return g;
		const text = `limit ${fmt.bytes(limit)}`;

		if (!this.limit_shown) {
			g.append(s("text", {x: this.width - RIGHT, y: TOP - 12, class: "r"},
				   `${text}, above this chart ↑`));
			return g;
		}
		const y = this.y(limit);

		g.append(s("path", {d: `M${LEFT} ${y}H${this.width - RIGHT}`}),
			 s("text", {x: LEFT + 8, y: y + 17}, text));
		if (hits_s && hits_s[0] <= f.end)
			g.append(this.hit(hits_s, y, f));
		return g;
	}

	hit([expected, from, to], y, f) {
		const x = this.x(expected), g = s("g", {class: "hit"});

		if (fmt.known(from))
			g.append(s("path", {class: "span",
					    d: `M${this.x(from)} ${y}H${this.x(Math.min(to ?? f.end, f.end))}`}));
		g.append(s("path", {class: "drop", d: `M${x} ${y}V${HEIGHT - BOTTOM}`}),
			 s("circle", {cx: x, cy: y, r: 4.5}),
			 s("text", {x: x - 8, y: HEIGHT - BOTTOM - 9, class: "r"}, fmt.clock(expected)));
		return g;
	}

	/* Names stand in rows when their lines are too close. */
	marks(f) {
		const g = s("g", {class: "marks"}), shown = (this.data.marks ?? [])
			.filter((m) => fmt.known(m.t_s) && m.t_s <= f.end)
			.map((m) => m.t_s >= f.first ? m : {...m, t_s: f.first, before: true,
				text: `← ${m.text} ${fmt.short_time(m.t_s)}`});
		let free = -Infinity, row = 0;

		for (const {t_s, text, tone, before} of shown.sort((a, b) => a.t_s - b.t_s)) {
			const x = this.x(t_s), width = LETTER * text.length + 12;
			const flip = x + width > this.width - RIGHT;

			row = x < free ? row + 1 : 0;
			free = flip ? Infinity : x + width;
			if (!before)
				g.append(s("path", {class: tone, d: `M${x} ${TOP - 8}V${HEIGHT - BOTTOM}`}));
			g.append(s("text", {class: flip ? `${tone} r` : tone, x: flip ? x - 6 : x + 6,
					   y: TOP + 3 + 16 * row}, text));
		}
		return g;
	}

	/* ---- reading values ---- */

	cursor() {
		this.hair = s("path", {class: "hair", visibility: "hidden"});
		this.dot = s("circle", {class: "dot", r: 4, visibility: "hidden"});
		return s("g", {class: "cursor"}, this.hair, this.dot);
	}

	point_at(event) {
		const box = this.svg.getBoundingClientRect(), x = event.clientX - box.left;
		const {points} = this.data ?? {points: []};

		if (points.length < 2 || x < LEFT)
			return this.hide();
		let best = 0;

		points.forEach(([t], i) => {
			if (Math.abs(this.x(t) - x) < Math.abs(this.x(points[best][0]) - x))
				best = i;
		});
		return this.read(best);
	}

	on_key(event) {
		const last = (this.data?.points.length ?? 0) - 1;
		const step = {ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10,
			      Home: -Infinity, End: Infinity}[event.key];

		if (step === undefined || last < 1)
			return;
		event.preventDefault();
		this.read(Math.min(last, Math.max(0, (this.read_at ?? last) + step)));
		this.said.textContent = this.tip.textContent;
	}

	read(i) {
		const [t, v] = this.data.points[i], x = this.x(t), y = this.y(v);

		this.read_at = i;
		this.hair.setAttribute("d", `M${x} ${TOP}V${HEIGHT - BOTTOM}`);
		this.dot.setAttribute("cx", x);
		this.dot.setAttribute("cy", y);
		this.tip.replaceChildren(h("b", {}, fmt.bytes(v)), " ", h("span", {}, fmt.time(t)));
		this.tip.hidden = false;
		for (const el of [this.hair, this.dot])
			el.setAttribute("visibility", "visible");
		const left = Math.min(Math.max(x - this.tip.offsetWidth / 2, 4),
				      this.width - this.tip.offsetWidth - 4);

		this.tip.style.transform = `translate(${left}px, ${Math.max(0, y - 52)}px)`;
	}

	hide() {
		this.tip.hidden = true;
		this.read_at = undefined;
		for (const el of [this.hair, this.dot])
			el?.setAttribute("visibility", "hidden");
	}
}
