// SPDX-License-Identifier: BSD-2-Clause
/*
 * dom.js - elements made from data. Text only ever becomes text: there is no way to pass markup.
 */
const SVG = "http://www.w3.org/2000/svg";

function assign(el, props) {
	for (const [name, value] of Object.entries(props)) {
		if (value === null || value === undefined || value === false)
			continue;
		if (name.startsWith("on"))
			el.addEventListener(name.slice(2), value);
		else
			el.setAttribute(name, value === true ? "" : value);
	}
}

function make(el, props, children) {
	assign(el, props);
	el.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
	return el;
}

export function h(tag, props = {}, ...children) {
	return make(document.createElement(tag), props, children);
}

export function s(tag, props = {}, ...children) {
	return make(document.createElementNS(SVG, tag), props, children);
}

/*
 * Build the children of el anew only if what they are made from has changed, and put the focus back
 * on the element with the same data-key: whoever reads or tabs through is not disturbed by a poll.
 */
export function slot(el, made_from, build) {
	const signature = JSON.stringify(made_from);

	if (el.signature === signature)
		return;
	const focused = el.contains(document.activeElement) && document.activeElement.dataset.key;

	el.signature = signature;
	el.replaceChildren(...[build()].flat(Infinity).filter(Boolean));
	if (focused)
		el.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({preventScroll: true});
}
