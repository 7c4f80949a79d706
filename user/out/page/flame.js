// SPDX-License-Identifier: BSD-2-Clause
/*
 * flame.js - call sites as a flame graph: the outermost functions at the bottom, the width of a box
 * is what it and all that it calls still own. Click or Enter zooms, Escape shows all; arrows walk.
 */
import {h, s} from "./dom.js";
import * as fmt from "./format.js";

const ROW = 21, CHAR = 6.7, TONES = 6, DEPTH_MAX = 80, NARROWEST = .4;

/* ---- sites become a tree ---- */

function label_of(frame) {
	return fmt.function_of(frame);
}

function child_of(node, frame) {
	const key = `${label_of(frame)} ${frame.file ?? frame.module} ${frame.line}`;

	if (!node.children.has(key))
		node.children.set(key, {key, frame, label: label_of(frame), parent: node, weight: 0,
					depth: node.depth + 1, children: new Map()});
	return node.children.get(key);
}

function tree(sites, weigh) {
	const root = {label: "all call sites", frame: {}, weight: 0, depth: 0, children: new Map()};

	for (const site of sites) {
		const weight = weigh(site);
		let node = root;

		if (!(weight > 0))
			continue;
		root.weight += weight;
		for (const frame of site.frames.slice(0, DEPTH_MAX).reverse()) {
			node = child_of(node, frame);
			node.weight += weight;
		}
	}
	return root;
}

/* The node at the same place of another tree, or as close to it as there is one. */
function same_place(root, node) {
	const path = [];

	for (; node?.parent; node = node.parent)
		path.unshift(node.key);
	return path.reduce((at, key) => at.children.get(key) ?? at, root);
}

function each(node, visit) {
	visit(node);
	for (const child of node.children.values())
		each(child, visit);
}

/* The same function has the same colour everywhere. */
function tone_of(label) {
	let hash = 0;

	for (const c of label)
		hash = (hash * 31 + c.codePointAt(0)) >>> 0;
	return hash % TONES;
}

function cut(text, width) {
	const room = Math.floor((width - 10) / CHAR);

	if (room < 3)
		return "";
	return text.length <= room ? text : `${text.slice(0, room - 1)}…`;
}

/* ---- the graph ---- */

export class Flame {
	constructor() {
		this.said = h("p", {class: "flame-said", "aria-live": "polite"});
		this.svg = s("svg", {class: "flame", role: "group", "aria-label":
			"flame graph of the call sites; arrows walk, Enter zooms, Escape shows all"});
		this.svg.addEventListener("keydown", (e) => this.on_key(e));
		this.el = h("div", {class: "flame-box"}, this.svg, this.said);
		new ResizeObserver(() => this.draw()).observe(this.el);
	}

	update(sites, weigh, unit) {
		const had_focus = this.svg.contains(document.activeElement);

		this.root = tree(sites, weigh);
		this.unit = unit;
		this.zoomed = same_place(this.root, this.zoomed);
		this.focused = same_place(this.root, this.focused);
		this.draw();
		if (had_focus)
			this.focused.el?.focus({preventScroll: true});
	}

	/* Sets from and width of every node: the zoomed one and those below it fill the graph. */
	place() {
		const to = this.zoomed;
		const spread = (node, x, width) => {
			let left = x;

			Object.assign(node, {x, w: width});
			for (const child of node.children.values()) {
				spread(child, left, width * child.weight / node.weight);
				left += child.w;
			}
		};

		each(this.root, (node) => { node.w = 0; });
		spread(to, 0, this.width);
		for (let node = to.parent; node; node = node.parent)
			Object.assign(node, {x: 0, w: this.width});
	}

	draw() {
		this.width = Math.round(this.el.clientWidth);
		if (!this.root || !this.width)
			return;
		let deepest = 0;

		this.place();
		each(this.root, (node) => {
			if (node.w >= NARROWEST)
				deepest = Math.max(deepest, node.depth);
		});
		this.height = (deepest + 1) * ROW;
		this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
		this.svg.setAttribute("height", this.height);
		this.svg.replaceChildren();
		each(this.root, (node) => {
			node.el = null;
			if (node.w >= NARROWEST)
				this.svg.append(this.box(node));
		});
		this.say(this.zoomed);
	}

	box(node) {
		const y = this.height - (node.depth + 1) * ROW;
		const tone = node === this.root ? "root" : `tone${tone_of(node.label)}`;

		node.el = s("g", {class: `box ${tone}${node.depth < this.zoomed.depth ? " below" : ""}`,
				  tabindex: node === this.focused ? 0 : -1, role: "button",
				  "aria-label": this.describe(node)},
			    s("rect", {x: node.x + .5, y: y + .5, rx: 2,
				       width: Math.max(node.w - 1, .3), height: ROW - 1}),
			    s("text", {x: node.x + 6, y: y + 14.5}, cut(node.label, node.w)));
		node.el.addEventListener("pointerenter", () => this.say(node));
		node.el.addEventListener("focus", () => this.say(node));
		node.el.addEventListener("click", () => this.zoom(node));
		return node.el;
	}

	describe(node) {
		const where = fmt.file_line(node.frame) ??
			      (node.frame.module ? fmt.name(fmt.last_part(node.frame.module)) : "");

		return [node.label, where, this.unit(node.weight),
			fmt.percent(node.weight / this.root.weight)].filter(Boolean).join("  ·  ");
	}

	say(node) {
		this.said.textContent = this.describe(node);
	}

	zoom(node) {
		this.zoomed = this.focused = node;
		this.draw();
		node.el?.focus({preventScroll: true});
	}

	neighbour(key) {
		const node = this.focused, siblings = [...(node.parent?.children.values() ?? [])];
		const i = siblings.indexOf(node);

		switch (key) {
		case "ArrowUp":
			return [...node.children.values()].sort((a, b) => b.w - a.w)[0];
		case "ArrowDown":
			return node.parent;
		case "ArrowLeft":
			return siblings[i - 1];
		case "ArrowRight":
			return siblings[i + 1];
		default:
			return null;
		}
	}

	on_key(event) {
		if (event.key === "Enter" || event.key === " ")
			this.zoom(this.focused);
		else if (event.key === "Escape")
			this.zoom(this.root);
		else if (!event.key.startsWith("Arrow"))
			return;
		event.preventDefault();
		const next = this.neighbour(event.key);

		if (!next?.el)
			return;
		this.focused.el?.setAttribute("tabindex", -1);
		this.focused = next;
		next.el.setAttribute("tabindex", 0);
		next.el.focus({preventScroll: true});
	}
}
