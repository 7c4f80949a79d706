// SPDX-License-Identifier: BSD-2-Clause
/* theme.js - the chosen theme, before anything is painted. Without a choice the system's counts. */
"use strict";
try {
	const chosen = localStorage.getItem("seep-theme");

	if (chosen === "light" || chosen === "dark")
		document.documentElement.dataset.theme = chosen;
} catch {
	/* storage may be forbidden: the system's theme it is */
}
