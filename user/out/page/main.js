// SPDX-License-Identifier: BSD-2-Clause
/*
 * main.js - the frame of the page: which view the address means, its polls, and the theme.
 *
 * A view is a module with title, sources(address) - what to ask the agent for - and show(root,
 * data, address), which is called after each poll and brings the elements below root up to date.
 * One that is costly to answer has PERIOD_MS. One that needs more, knowing the first answers, has more(data), too; what of that is refused is
 * left out of data.
 */
import {Refused, ask_all, ask_some, repeat} from "./api.js";
import {h} from "./dom.js";
import * as fmt from "./format.js";
import * as incident from "./incident.js";
import * as incidents from "./incidents.js";
import {by} from "./live.js";
import * as overview from "./overview.js";
import * as status from "./status.js";

const VIEWS = [
	[/^\/$/, overview],
	[/^\/incidents$/, incidents],
	[/^\/incident\/([^/]+)$/, incident],
	[/^\/processes$/, by("process")],
	[/^\/cgroups$/, by("cgroup")],
	[/^\/pods$/, by("pod")],
	[/^\/status$/, status],
];
const FASTEST_MS = 2000, SLOWEST_MS = 10000;
const THEMES = {auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark"};
const THEME_ICONS = {auto: "◐", light: "☀", dark: "☾"};

const main = document.getElementById("main");
let stop = () => {};
let period_ms = FASTEST_MS;
let answered_s = null;

/* ---- the frame ---- */

function show_health(agent) {
	const ok = agent.health === "ok";
	const el = document.getElementById("health");

	period_ms = Math.min(SLOWEST_MS, Math.max(FASTEST_MS, 1000 * agent.interval_s));
	answered_s = Date.now() / 1000;
	el.className = `health ${ok ? "ok" : "bad"}`;
	el.title = ok ? "The agent sees what it should see" : agent.problems.join("\n");
	el.replaceChildren(h("span", {class: "dot", "aria-hidden": "true"}),
			   h("span", {class: "health-node"}, fmt.name(agent.node)),
			   h("span", {class: "quiet"}, ok ? "ok" : "degraded"));
	document.getElementById("foot").textContent =
		`seep ${agent.version} on ${fmt.name(agent.node)}, as of ${fmt.time(agent.at_s)}`;
}

function show_trouble(text) {
	const el = document.getElementById("trouble");

	el.hidden = !text;
	el.textContent = text;
}

function mark_nav(path) {
	for (const link of document.querySelectorAll(".nav a")) {
		const here = link.pathname === path ||
			     (link.pathname === "/incidents" && path.startsWith("/incident/"));

		if (here)
			link.setAttribute("aria-current", "page");
		else
			link.removeAttribute("aria-current");
		if (here)
			link.scrollIntoView({block: "nearest", inline: "nearest"});
	}
}

/* ---- views ---- */

function find_view(path) {
	for (const [pattern, view] of VIEWS) {
		const found = pattern.exec(path);

		if (found)
			return [view, {id: found[1] && decodeURIComponent(found[1])}];
	}
	return [null, {}];
}

function describe(error) {
	if (error instanceof Refused)
		return error.message;
	const since = answered_s ? ` What is shown is from ${fmt.clock(answered_s)}.` : "";

	return `The agent does not answer.${since} Trying again …`;
}

async function poll(view, address, root, signal) {
	try {
		const sources = {agent: "/api/status", ...view.sources(address)};
		let data = await ask_all(sources, signal);

		if (view.more)
			data = {...data, ...await ask_some(view.more(data), signal)};
		if (signal.aborted)
			return;
		show_health(data.agent);
		view.show(root, data, address);
		document.title = `${view.title(data, address)} – seep`;
		if (!root.isConnected)
			main.replaceChildren(root);
		show_trouble("");
	} catch (error) {
		if (signal.aborted)
			return;
		show_trouble(describe(error));
		if (error instanceof Refused && error.status === 404 && !root.isConnected)
			main.replaceChildren(h("p", {class: "wait"}, error.message));
		else if (!(error instanceof Refused || error.name === "TypeError" ||
			   error.name === "TimeoutError"))
			throw error;
	}
}

function open() {
	const [view, params] = find_view(location.pathname);
	const root = h("div", {class: "view"});
	const address = {...params, query: new URLSearchParams(location.search)};

	stop();
	mark_nav(location.pathname);
	if (!view) {
		main.replaceChildren(h("p", {class: "wait"}, "There is no such page. ",
				       h("a", {href: "/"}, "To the overview")));
		return;
	}
	stop = repeat((signal) => poll(view, address, root, signal),
		      () => Math.max(period_ms, view.PERIOD_MS ?? 0));
}

function go(url) {
	history.pushState(null, "", url);
	open();
	scrollTo(0, 0);
	main.focus({preventScroll: true});
}

function on_click(event) {
	const link = event.target.closest("a[href]");

	if (!link || link.origin !== location.origin || link.hasAttribute("download") ||
	    event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey ||
	    link.pathname.startsWith("/api/") || link.getAttribute("href").startsWith("#"))
		return;
	event.preventDefault();
	go(link.href);
}

/* ---- the theme ---- */

function theme() {
	return document.documentElement.dataset.theme ?? "auto";
}

function label_theme() {
	const button = document.getElementById("theme");

	button.textContent = THEME_ICONS[theme()];
	button.title = THEMES[theme()];
	button.setAttribute("aria-label", THEMES[theme()]);
}

function next_theme() {
	const names = Object.keys(THEMES);
	const next = names[(names.indexOf(theme()) + 1) % names.length];

	if (next === "auto")
		delete document.documentElement.dataset.theme;
	else
		document.documentElement.dataset.theme = next;
	try {
		localStorage.setItem("seep-theme", next);
	} catch {
		/* forbidden: it holds until the page is left */
	}
	label_theme();
}

document.addEventListener("click", on_click);
document.getElementById("theme").addEventListener("click", next_theme);
addEventListener("popstate", open);
label_theme();
open();
