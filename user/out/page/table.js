// SPDX-License-Identifier: BSD-2-Clause
/*
 * table.js - a table that sorts by any column and is brought up to date in place.
 *
 * A column is {id, label, value(row), cell(row)}: value sorts (and is shown, without cell). More of
 * it: number (aligned to the right), prio (2 and 3 give way on narrow screens), from(row) - what
 * the cell is made from, if that is not the value -, help. Rows keep their elements by key(row), so
 * that focus, selection and pointer stay where they are.
 */
import {h} from "./dom.js";

function compare(a, b) {
	if (a === b)
		return 0;
	/* what is not known comes last, whichever way it is sorted */
	if (a === null || a === undefined)
		return Infinity;
	if (b === null || b === undefined)
		return -Infinity;
	if (typeof a === "string" || typeof b === "string")
		return String(a).localeCompare(String(b), "en", {numeric: true});
	return a - b;
}

export class Table {
	constructor({caption, columns, key, sort, down = true, on_sort}) {
		Object.assign(this, {columns, key, sort, down, on_sort, rows: [], kept: new Map()});
		this.heads = new Map(columns.map((c) => [c.id, this.head(c)]));
		this.body = h("tbody");
		this.el = h("div", {class: "scroll"},
			    h("table", {}, h("caption", {class: "unseen"}, caption),
			      h("thead", {}, h("tr", {}, [...this.heads.values()])), this.body));
		this.mark();
	}

	class_of(column) {
		return [column.number && "num", column.prio && `prio${column.prio}`, `c-${column.id}`]
			.filter(Boolean).join(" ");
	}

	head(column) {
		const button = h("button", {type: "button", title: column.help,
					    onclick: () => this.sort_by(column.id)}, column.label);

		return h("th", {scope: "col", class: this.class_of(column)},
			 column.label ? button : null);
	}

	mark() {
		for (const [id, head] of this.heads) {
			if (id === this.sort)
				head.setAttribute("aria-sort", this.down ? "descending" : "ascending");
			else
				head.removeAttribute("aria-sort");
		}
	}

	sort_by(id) {
		const column = this.columns.find((c) => c.id === id);

		this.down = this.sort === id ? !this.down : Boolean(column.number);
		this.sort = id;
		this.mark();
		this.update(this.rows);
		this.on_sort?.(this.sort, this.down);
	}

	sorted(rows) {
		const {value} = this.columns.find((c) => c.id === this.sort) ?? {};
		const sign = this.down ? -1 : 1;

		if (!value)
			return rows;
		return rows.map((row) => [value(row), row])
			.sort(([a], [b]) => {
				const order = compare(a, b);

				return Number.isFinite(order) ? sign * order : Math.sign(order);
			})
			.map(([, row]) => row);
	}

	cell(column, row) {
		const made = column.cell ? column.cell(row) : column.value(row);

		return [made].flat(Infinity).filter((x) => x !== null && x !== undefined && x !== false);
	}

	/* The row's element, with only those cells made anew that have changed. */
	line(row) {
		const key = this.key(row);
		let line = this.kept.get(key);

		if (!line) {
			line = {tr: h("tr", {"data-row": key}), from: []};
			line.tr.append(...this.columns.map((c) => h("td", {class: this.class_of(c)})));
		}
		this.columns.forEach((column, i) => {
			const from = JSON.stringify((column.from ?? column.value)(row));

			if (line.from[i] === from)
				return;
			line.from[i] = from;
			line.tr.children[i].replaceChildren(...this.cell(column, row));
		});
		return [key, line];
	}

	update(rows) {
		this.rows = rows;
		this.kept = new Map(this.sorted(rows).map((row) => this.line(row)));
		const lines = [...this.kept.values()].map((line) => line.tr);

		const wanted = new Set(lines);

		for (const tr of [...this.body.children])
			if (!wanted.has(tr))
				tr.remove();
		lines.forEach((tr, i) => {
			if (this.body.children[i] !== tr)
				this.body.insertBefore(tr, this.body.children[i] ?? null);
		});
	}
}
