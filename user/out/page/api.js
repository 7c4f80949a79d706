// SPDX-License-Identifier: BSD-2-Clause
/*
 * api.js - asks the agent, again and again while somebody looks.
 *
 * The browser revalidates by ETag on its own, so what has not changed is not sent twice. Nothing is
 * asked while the page is hidden. Only GET, only the agent that served the page.
 */
const TIMEOUT_MS = 15000;

export class Refused extends Error {
	constructor(status, text) {
		super(text);
		this.status = status;
	}
}

export async function ask(path, signal) {
	const answer = await fetch(path, {
		signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
	});
	const text = await answer.text();

	if (answer.ok)
		return JSON.parse(text);
	let why = text.trim();

	try {
		why = JSON.parse(text).error;
	} catch {
		/* not every refusal comes from the API */
	}
	throw new Refused(answer.status, why);
}

/* {name: path} becomes {name: answer}. */
export async function ask_all(sources, signal) {
	const names = Object.keys(sources);
	const answers = await Promise.all(names.map((name) => ask(sources[name], signal)));

	return Object.fromEntries(names.map((name, i) => [name, answers[i]]));
}

/* The same; what is refused is left out. */
export async function ask_some(sources, signal) {
	const names = Object.keys(sources);
	const answers = await Promise.allSettled(names.map((name) => ask(sources[name], signal)));
	const given = names.map((name, i) => [name, answers[i].value]).filter(([, value]) => value);

	return Object.fromEntries(given);
}

/*
 * Call turn(signal) now and again every period_ms() after it has ended, as long as the page is
 * visible. Returns a function that ends it.
 */
export function repeat(turn, period_ms) {
	const over = new AbortController();
	let timer = 0, busy = false;

	async function go() {
		clearTimeout(timer);
		if (busy || document.hidden || over.signal.aborted)
			return;
		busy = true;
		await turn(over.signal);
		busy = false;
		if (!over.signal.aborted)
			timer = setTimeout(go, period_ms());
	}
	document.addEventListener("visibilitychange", go, {signal: over.signal});
	go();
	return () => {
		over.abort();
		clearTimeout(timer);
	};
}
