// SPDX-License-Identifier: BSD-2-Clause
/*
 * format.js - numbers, times and names as people read them. What is not known is a dash.
 */
export const NONE = "–";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function known(n) {
	return typeof n === "number" && Number.isFinite(n);
}

export function bytes(n) {
	if (!known(n))
		return NONE;
	let size = Math.abs(n), unit = 0;

	while (size >= 1023.5 && unit < UNITS.length - 1) {
		size /= 1024;
		unit++;
	}
	const digits = unit === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;

	return `${n < 0 ? "−" : ""}${size.toFixed(digits)} ${UNITS[unit]}`;
}

export function rate(n) {
	return known(n) ? `${n > 0 ? "+" : ""}${bytes(n)}/h` : NONE;
}

export function count(n) {
	return known(n) ? n.toLocaleString("en-US") : NONE;
}

export function percent(share, digits = 0) {
	return known(share) ? `${(100 * share).toFixed(digits)} %` : NONE;
}

export function duration(seconds) {
	if (!known(seconds))
		return NONE;
	const total = Math.round(Math.abs(seconds));
	const parts = [[Math.floor(total / 86400), "d"], [Math.floor(total / 3600) % 24, "h"],
		       [Math.floor(total / 60) % 60, "m"], [total % 60, "s"]];
	const first = parts.findIndex(([n]) => n > 0);

	if (first < 0)
		return seconds ? `${Math.round(seconds * 1000)}ms` : "0s";
	return parts.slice(first, first + 2).filter(([n]) => n > 0).map(([n, u]) => n + u).join(" ");
}

export function nanoseconds(ns) {
	if (!known(ns))
		return NONE;
	if (ns < 1e6)
		return `${(ns / 1e3).toFixed(0)} µs`;
	return ns < 1e9 ? `${(ns / 1e6).toFixed(1)} ms` : `${(ns / 1e9).toFixed(1)} s`;
}

const two = (n) => String(n).padStart(2, "0");

export function clock(t_s, seconds = true) {
	const d = new Date(t_s * 1000);

	return `${two(d.getHours())}:${two(d.getMinutes())}${seconds ? `:${two(d.getSeconds())}` : ""}`;
}

export function day(t_s) {
	const d = new Date(t_s * 1000);

	return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

/* The reader's time zone. */
export function time(t_s) {
	return known(t_s) ? `${day(t_s)} ${clock(t_s)}` : NONE;
}

/* As short as it is clear today. */
export function short_time(t_s) {
	if (!known(t_s))
		return NONE;
	return day(t_s) === day(Date.now() / 1000) ? clock(t_s) : `${day(t_s)} ${clock(t_s, false)}`;
}

export function plural(n, one, many = `${one}s`) {
	return `${count(n)} ${n === 1 ? one : many}`;
}

/*
 * Names are chosen by others. The agent has replaced control characters already; what could still
 * reorder or hide text on the screen is shown as its code.
 */
export function name(text) {
	if (text === null || text === undefined || text === "")
		return NONE;
	return String(text).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (c) =>
		`\\u${c.codePointAt(0).toString(16).padStart(4, "0")}`);
}

export function last_part(path) {
	return String(path).split("/").filter(Boolean).pop() ?? path;
}

/* What a row or an incident is about: "api-7f/app", "nginx", "/system.slice/a.service". */
export function title(o) {
	if (known(o.pid))
		return name(o.comm);
	if (o.pod)
		return name(o.container ? `${o.pod}/${o.container}` : o.pod);
	return name(o.container || (o.cgroup === "/" ? "/" : o.cgroup && last_part(o.cgroup)));
}

/* Where it lives, as short as it is still found. */
export function place(o) {
	if (o.pod)
		return name(`${o.namespace ? `${o.namespace}/` : ""}${o.pod}`);
	return name(o.container || o.cgroup);
}

export function file_line(frame) {
	return frame.file ? name(frame.line ? `${frame.file}:${frame.line}` : frame.file) : null;
}

/* The same without its directories, for where there is little room. */
export function short_line(frame) {
	return file_line({...frame, file: frame.file && last_part(frame.file)});
}

export function function_of(frame) {
	return name(frame.function || frame.address);
}
