# SPDX-License-Identifier: BSD-2-Clause
"""page_cases.py - the web page in a real browser, over a real agent beside programs that leak.

One of them carries names that try to be markup, terminal escapes and reversed text. Pictures of
every view, in two widths and both themes, are left in build/screenshots to be looked at.
"""
import base64
import contextlib
import json
import os
import re
import shutil
import urllib.error
import urllib.request

from browser import Browser
from harness import ROOT, Agent, Cgroups, Program, check_shape, expect, wait_for

PICTURES = ROOT / "build" / "screenshots"
WORKLOADS = ROOT / "build" / "tests" / "workloads"
LEAK_TIMEOUT_S = 120
SITES_TIMEOUT_S = 60
VIEWS = ("/", "/incidents", "/processes", "/cgroups", "/pods", "/status")
WIDTHS = (1280, 375)
LIMIT = 800 << 20  # far enough to be reached by no test, however slow the machine
TOKEN = "correct-horse-battery"
MARKUP = "<img src=x onerror=window.pwned=1>"
ESCAPES = "\x1b[31mred\u202ereversed\u200f\""
TAB, ENTER, ESCAPE = "\ue004", "\ue007", "\ue00c"

# What has to be moved sideways to be seen: the page, or a table.
TOO_WIDE = """
return [document.documentElement, ...document.querySelectorAll(".scroll")]
	.filter((el) => el.scrollWidth > el.clientWidth)
	.map((el) => `${el.className || "page"} is ${el.scrollWidth - el.clientWidth} px too wide`);
"""

# Text that is hard to read: its own colour against all that is behind it (WCAG AA).
FAINT = """
const parts = (c) => c.startsWith("color(srgb") ?
	c.match(/[\\d.]+/g).map((n, i) => i < 3 ? 255 * n : +n) : c.match(/[\\d.]+/g).map(Number);
const light = (c) => c.slice(0, 3).map((v) => v / 255)
	.map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
	.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const blend = (top, share, under) => top.slice(0, 3).map((v, i) => v * share + under[i] * (1 - share));
const known = new Map([[null, {under: [255, 255, 255], opacity: 1}]]);
function around(el) {
	if (!known.has(el)) {
		const style = getComputedStyle(el), c = parts(style.backgroundColor);
		const {under, opacity} = around(el.parentElement);
		known.set(el, {under: blend(c, c[3] ?? 1, under), opacity: opacity * style.opacity});
	}
	return known.get(el);
}
const faint = [];
for (const el of document.querySelectorAll("body *")) {
	const own = [...el.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
	if (!own || el.closest("svg, noscript, .unseen, [hidden]") || !el.getClientRects().length)
		continue;
	const {under, opacity} = around(el), color = blend(parts(getComputedStyle(el).color), opacity, under);
	const [a, b] = [light(color), light(under)].sort((x, y) => y - x);
	if ((a + .05) / (b + .05) < 4.5)
		faint.push(`${el.className || el.tagName} "${el.textContent.slice(0, 30)}" ` +
			   ((a + .05) / (b + .05)).toFixed(2));
}
return faint;
"""


# ---- over HTTP, without a browser


def fetch(port, path, method="GET", **headers):
    """(status, headers, text)"""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, headers=names)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def port_of(agent):
    found = wait_for("the port", lambda: re.search(r"HTTP on .* port (\d+)",
                                                   agent.log.read_text(errors="replace")), 20)
    return int(found[1])


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def check_api(directory):
    """The JSON of the commands, and nothing else; only to requests that mean this machine."""
    with Agent(directory, "--listen", "127.0.0.1:0") as agent:
        port = port_of(agent)
        for path, shape in (("/api/top?by=cgroup&n=3", "top"), ("/api/leaks?all=1", "leaks"),
                            ("/api/status", "status")):
            status, headers, text = fetch(port, path)
            expect(status == 200 and headers["Content-Type"] == "application/json", f"{path}: {status}")
            check_shape(json.loads(text), shape)
        expect(len(json.loads(fetch(port, "/api/top?n=2")[2])["rows"]) == 2, "n=2 gives not 2 rows")
        for path, wanted in (("/api/incident/nosuch", 404), ("/api/incident/", 400),
                             ("/api/top?by=%3Cb%3E", 400), ("/api/record", 404), ("/api/", 404),
                             ("/page/../agent.c", 404), ("/incident/a/b", 404), ("/page/", 404)):
            expect(fetch(port, path)[0] == wanted, f"{path} is {fetch(port, path)[0]}, not {wanted}")
        expect(fetch(port, "/api/status", "DELETE")[0] == 405, "DELETE is not refused")
        check_headers(port)
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "[::2]",
                     "localhost.evil.example", "1270.0.0.1", "localhost:80:80"):
            expect(fetch(port, "/", Host=host)[0] == 421, f"Host '{host}' is not refused")
        for host in ("localhost", f"LocalHost:{port}", "127.8.9.1", f"[::1]:{port}"):
            expect(fetch(port, "/", Host=host)[0] == 200, f"Host '{host}' is refused")


def check_headers(port):
    status, headers, text = fetch(port, "/")
    expect(status == 200 and "<!doctype html>" in text, f"/ is {status}: {text[:80]}")
    expect("default-src 'none'" in headers["Content-Security-Policy"], "no strict policy")
    expect("unsafe" not in headers["Content-Security-Policy"], headers["Content-Security-Policy"])
    expect(headers["X-Content-Type-Options"] == "nosniff", "no nosniff")
    expect(headers["Referrer-Policy"] == "no-referrer", "no Referrer-Policy")
    expect(not re.search(r"(?i)<style|\sstyle=|\son\w+=|<script>", text), "inline script or style")
    expect(fetch(port, "/", If_None_Match=headers["ETag"])[0] == 304, "an unchanged page is sent again")
    expect(fetch(port, "/", If_None_Match='"other"')[0] == 200, "a changed page is not sent")


def check_token(directory):
    directory.mkdir()
    file = directory / "token"
    file.write_text(TOKEN + "\n", encoding="ascii")
    with Agent(directory / "agent", "--listen", "127.0.0.1:0", "--web-token-file", file) as agent:
        port = port_of(agent)
        for path in ("/", "/api/status", "/metrics", "/page/main.js"):
            status, headers, _ = fetch(port, path)
            expect(status == 401 and headers["WWW-Authenticate"].startswith("Basic"),
                   f"{path} without the token is {status}")
        for path in ("/healthz", "/readyz"):
            expect(fetch(port, path)[0] in (200, 503), f"{path} asks for the token")
        for given in (f"Bearer {TOKEN}", f"bearer {TOKEN}", basic("seep", TOKEN)):
            expect(fetch(port, "/api/status", Authorization=given)[0] == 200, f"{given} is refused")
        for given in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", TOKEN, "Basic ",
                      basic("seep", ""), basic("other", TOKEN), "Basic %%%"):
            expect(fetch(port, "/api/status", Authorization=given)[0] == 401, f"{given} is accepted")
        expect(TOKEN not in agent.log.read_text(), "the token is in the log")


def check_bad_token(directory):
    """A token that cannot be read closes the page; the agent goes on watching."""
    directory.mkdir()
    file = directory / "token"
    file.write_text("short\n", encoding="ascii")
    for i, path in enumerate((file, directory / "nosuch")):
        with Agent(directory / str(i), "--listen", "127.0.0.1:0", "--web-token-file", path) as agent:
            expect("going on without HTTP" in agent.log.read_text(), agent.log.read_text())


def check_open_address(directory):
    """Beyond loopback nothing of names and stacks is told without a token."""
    with Agent(directory, "--listen", "0.0.0.0:0") as agent:
        port = port_of(agent)
        for path in ("/", "/api/top", "/page/main.js"):
            status, _, text = fetch(port, path)
            expect(status == 403 and "--web-token-file" in text, f"{path} is {status}")
        expect(fetch(port, "/metrics", Host="node-7.example")[0] == 200, "/metrics is refused")


# ---- programs and their names


class Stage:
    """An agent, a leak with a limit, and a leak with hostile names in a hostile cgroup."""

    def __init__(self, directory):
        self.directory = directory
        self.cgroups = Cgroups(f"seep-page-{os.getpid()}")
        self.programs = []
        self.agent = Agent(directory / "agent", "--listen", "127.0.0.1:0", "--window", "30s",
                           "--interval", "200ms")

    def __enter__(self):
        hostile = self.directory / MARKUP
        shutil.copy(WORKLOADS / "leak_linear", hostile)
        self.agent.start()
        self.url = f"http://127.0.0.1:{port_of(self.agent)}"
        self.plain = self.add("leak", [str(WORKLOADS / "leak_linear"), "--base", "30M", "--rate",
                                       "768K"], self.cgroups.make("shop", LIMIT))
        self.hostile = self.add("hostile", [str(hostile), "--rate", "768K", "--note",
                                            MARKUP + ESCAPES], self.cgroups.make(MARKUP))
        return self

    def __exit__(self, *_):
        for program in self.programs:
            program.kill()
        with contextlib.suppress(Exception):
            self.agent.__exit__()
        self.cgroups.remove()

    def add(self, name, command, cgroup):
        program = Program(name, command, cgroup, self.cgroups.name_of(cgroup) if cgroup else None)
        program.start()
        self.programs.append(program)
        return program

    def incident_of(self, program):
        found = [i for i in self.agent.incidents() if i["object"]["pid"] == program.pid]
        return found[0] if found else None

    def await_incident(self, program):
        return wait_for(f"an incident on '{program.name}'", lambda: self.incident_of(program),
                        LEAK_TIMEOUT_S)

    def await_site(self, program):
        def known():
            incident = self.incident_of(program)
            return incident and incident["sites"] and incident
        return wait_for(f"a call site of '{program.name}'", known, SITES_TIMEOUT_S)


def visit(browser, url):
    browser.open(url)
    browser.await_true(f"{url} shows something", "return !!document.querySelector('main .view h1')")


def rows(browser, column):
    """The texts of a column, as they stand."""
    return browser.run("return [...document.querySelectorAll(`td.c-${arguments[0]}`)]"
                       ".map((td) => td.innerText)", column)


def sizes(browser, column):
    units = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
    return [float(number) * units[unit]
            for number, unit in (text.split() for text in rows(browser, column) if text != "–")]


# ---- in the browser


def check_overview(browser, stage):
    """The leak stands first, and one click leads to its incident, without loading a page."""
    incident = stage.await_incident(stage.plain)
    visit(browser, stage.url)
    card = f"[data-key='{incident['id']}']"
    browser.await_true("the incident's card", "return !!document.querySelector(arguments[0])", card)
    expect(re.search(r"incidents? (is|are) open", browser.text("h1")), browser.text("h1"))
    expect("leak_linear" in browser.text(card), browser.text(card))
    expect(browser.run("return document.querySelectorAll('.incident-card .spark .line').length"),
           "no curve in the cards")
    browser.run("window.still_here = true")
    browser.click(card)
    browser.await_true("the incident", "return location.pathname === arguments[0] &&"
                       "!!document.querySelector('.chart .curve .line')",
                       f"/incident/{incident['id']}")
    expect(browser.run("return window.still_here"), "the page was loaded anew")
    browser.run("history.back()")
    browser.await_true("the way back", "return !!document.querySelector('.incident-card')")


def check_incident(browser, stage):
    """The permalink shows curve, onset, fit, limit, call sites and words; JSON can be kept."""
    incident = stage.await_site(stage.plain)
    visit(browser, f"{stage.url}/incident/{incident['id']}")
    browser.await_true("the call sites", "return document.querySelectorAll('.flame .box').length > 2")
    points = browser.run("return document.querySelector('.chart .curve .line')"
                         ".getAttribute('d').split('L').length")
    expect(points >= 10, f"a curve of {points} points")
    for what, selector in (("onset", ".marks .onset"), ("fit", ".fit .slope"),
                           ("interval", ".fit .band")):
        expect(browser.run("return !!document.querySelector(arguments[0])", selector), f"no {what}")
    text = browser.text()
    for words in ("What it means", incident["explanation"][:40], "lose", "workload.h:",
                  re.match(r"\D*", incident["verdict"]["evidence"][0])[0].strip(),
                  "What was not seen"):
        expect(words in text, f"'{words}' is not on the page:\n{text[:2000]}")
    if stage.plain.cgroup:
        expect("limit 800 MiB" in browser.run("return document.querySelector('.chart').textContent"),
               "no limit in the chart")
    href = browser.run("return document.querySelector('a[download]').href")
    kept = json.loads(fetch(int(stage.url.rsplit(":", 1)[1]), href[len(stage.url):])[2])
    expect(check_shape(kept, "incident")["id"] == incident["id"], "the JSON is another incident")


def check_reading(browser, stage):
    """The chart reads values out by key; a box of the flame graph zooms and Escape undoes it."""
    browser.run("document.querySelector('.chart').focus()")
    browser.keys("\ue012\ue012")
    expect(re.search(r"\d+ MiB", browser.text(".tip")), f"read-out '{browser.text('.tip')}'")
    wide = "return document.querySelectorAll('.flame .box').length"
    browser.run("document.querySelector('.flame .box').focus()")
    browser.keys("\ue013" + ENTER)
    browser.await_true("zoom", "return !!document.querySelector('.flame .below')")
    browser.keys(ESCAPE)
    browser.await_true("no zoom", "return !document.querySelector('.flame .below')")
    expect(browser.run(wide) > 2, "boxes are gone")
    expect(stage.url in browser.run("return location.href"), "left the page")


def check_tables(browser, stage):
    """Sorted by click and by key, filtered by words; a poll leaves both alone."""
    visit(browser, f"{stage.url}/processes")
    browser.click("th.c-rss button")
    by_size = sizes(browser, "rss")
    expect(len(by_size) > 3 and by_size == sorted(by_size, reverse=True), f"by RSS: {by_size}")
    browser.keys(ENTER)
    expect(browser.run("return document.querySelector('th.c-rss').ariaSort") == "ascending",
           "Enter does not turn the order")
    by_size = sizes(browser, "rss")
    expect(by_size == sorted(by_size), f"by RSS, ascending: {by_size}")
    before = browser.text("#foot")
    browser.await_true("an update without a reload",
                       "return document.querySelector('#foot').innerText !== arguments[0]", before)
    by_size = sizes(browser, "rss")
    expect(by_size == sorted(by_size), "the order is lost with an update")
    browser.click(".filters input")
    browser.keys(f"leak_linear {stage.plain.pid}")  # its number alone may be in other names
    browser.await_true("one row", "return document.querySelectorAll('tbody tr').length === 1")
    expect("leak" in rows(browser, "verdict"), rows(browser, "verdict"))
    browser.keys("-no-such")
    browser.await_true("no row", "return document.querySelectorAll('tbody tr').length === 0")
    expect("Nothing fits the filter" in browser.text(), browser.text())


def check_history(browser, stage):
    incident = stage.await_incident(stage.plain)
    visit(browser, f"{stage.url}/incidents?q=comm%3Dleak_*+state%3Dopen")
    expect(browser.run("return !!document.querySelector(`[data-row='${arguments[0]}']`)",
                       incident["id"]), browser.text())
    browser.run("const s = document.querySelector('.filters select'); s.value = 'closed';"
                "s.dispatchEvent(new Event('change'))")
    expect("fits the filter" in browser.text(), f"an open one is closed: {browser.text()}")
    expect("state=closed" in browser.run("return location.search"), "the filter is not in the address")
    visit(browser, f"{stage.url}/incidents?sort=grew.down")
    grown = sizes(browser, "grew")
    expect(grown and grown == sorted(grown, reverse=True), f"by growth: {grown}")


def check_hostile(browser, stage):
    """Names stay text: no element, no script, no escape and nothing reversed."""
    incident = stage.await_incident(stage.hostile)
    comm, cgroup = MARKUP[:15], stage.hostile.cgroup and MARKUP
    shown = {f"/incident/{incident['id']}": f"--note {MARKUP}", "/incidents": comm,
             "/processes": comm, "/cgroups": cgroup, "/": None, "/status": None}
    for path, text in shown.items():
        visit(browser, stage.url + path)
        found = browser.run("""return {
            images: document.querySelectorAll("img:not([src^='/page/'])").length,
            ran: "pwned" in window,
            raw: /[\\u001b\\u202e\\u200f]/.test(document.documentElement.outerHTML),
        }""")
        expect(found == {"images": 0, "ran": False, "raw": False}, f"{path}: {found}")
        expect(not text or text in browser.text(), f"{path} does not show {text!r}")


def check_keyboard(browser, stage):
    visit(browser, stage.url)
    browser.keys(TAB)
    expect(browser.run("return document.activeElement.className") == "skip", "no skip link")
    browser.keys(ENTER)
    expect(browser.run("return document.activeElement.id") == "main", "the skip link does not skip")
    wait_for("a focus that can be seen", lambda: focus_after_tab(browser), 20)


def focus_after_tab(browser):
    """A poll may build the card anew in between: then the next stop counts."""
    browser.keys(TAB)
    return (browser.run("const s = getComputedStyle(document.activeElement, "
                       "document.activeElement.closest('h3') ? '::after' : null);"
                        "return s.outlineStyle") != "none")


def check_theme(browser, stage):
    """The system's theme, unless another was chosen; the choice outlives the page."""
    ground = "return getComputedStyle(document.body).backgroundColor"
    browser.prefer("light")
    visit(browser, stage.url)
    light = browser.run(ground)
    browser.prefer("dark")
    dark = browser.run(ground)
    expect(light != dark, f"light and dark are both {light}")
    browser.click("#theme")
    expect(browser.run(ground) == light, "light was chosen, dark is shown")
    visit(browser, stage.url)
    expect(browser.run(ground) == light, "the choice is lost with the page")
    browser.click("#theme")
    browser.click("#theme")
    expect(browser.run(ground) == dark, "not the system's again")
    browser.prefer("light")


def check_looks(browser, stage):
    """Every view fits its window, and its text can be read, in both themes and widths."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    incident = stage.await_site(stage.plain)
    bad = []
    for path in (*VIEWS, f"/incident/{incident['id']}"):
        name = path.split("/")[1] or "overview"
        visit(browser, stage.url + path)
        for width in WIDTHS:
            browser.resize(width)
            browser.await_true("the width", "return innerWidth === arguments[0]", width)
            for theme in ("light", "dark"):
                browser.prefer(theme)
                faint = browser.run(FAINT)
                bad += [f"{path} {theme} {width}: {text}" for text in browser.run(TOO_WIDE)]
                bad += [f"{path} {theme} {width}: faint: {text}" for text in faint[:3]]
                browser.picture(PICTURES / f"{name}-{theme}-{width}.png")
    browser.resize(1280)
    browser.prefer("light")
    expect(not bad, "\n".join(bad))


def check_silence(browser, stage):
    """Of all that went before, nothing was complained about and nothing asked for elsewhere."""
    said = browser.complaints()
    expect(not said, "the console says:\n" + "\n".join(said[:8]))
    asked = [url for url in browser.requested() if url.startswith(("http:", "https:", "ws"))]
    expect(len(asked) > 50, f"only {len(asked)} requests are known")
    elsewhere = {url for url in asked if not url.startswith(stage.url + "/")}
    expect(not elsewhere, f"asked for {elsewhere}")


def check_login(browser, directory):
    """With a token the browser's own login is enough; and a young agent does not say 'no leaks'."""
    directory.mkdir()
    file = directory / "token"
    file.write_text(TOKEN, encoding="ascii")
    with Agent(directory / "agent", "--listen", "127.0.0.1:0", "--web-token-file", file) as agent:
        port = port_of(agent)
        browser.open(f"http://127.0.0.1:{port}/")
        expect(not browser.run("return !!document.querySelector('main')"), "shown without the token")
        browser.open(f"http://seep:{TOKEN}@127.0.0.1:{port}/")
        visit(browser, f"http://127.0.0.1:{port}/")
        expect(browser.text("h1") == "No leak is open in what is seen", browser.text("h1"))
        expect("slow leaks need longer" in browser.text(".hero"), browser.text(".hero"))
        agent.stop()
        browser.await_true("the trouble is told",
                           "return document.querySelector('#trouble').innerText.includes("
                           "'does not answer')")


BROWSER_CASES = {
    "the overview leads to the incident": check_overview,
    "an incident has its curve, its code and its words": check_incident,
    "chart and flame graph are read by keyboard": check_reading,
    "tables are sorted, filtered and kept up to date": check_tables,
    "the history is filtered by its address": check_history,
    "hostile names stay text": check_hostile,
    "the keyboard is enough": check_keyboard,
    "light, dark, and the choice between them": check_theme,
    "every view fits and can be read": check_looks,
    "no complaint, and nothing from elsewhere": check_silence,
}

HTTP_CASES = {
    "the JSON of the commands over HTTP": check_api,
    "the token": check_token,
    "a bad token": check_bad_token,
    "beyond loopback": check_open_address,
}


def run_browser(results, directory):
    with Browser(directory / "browser") as browser, Stage(directory) as stage:
        browser.resize(1280)
        for name, check in BROWSER_CASES.items():
            with results.case(f"page: {name}"):
                check(browser, stage)
        with results.case("page: the browser's login, and a young agent"):
            check_login(browser, directory / "login")


def run_all(results, directory):
    directory.mkdir()
    for i, (name, check) in enumerate(HTTP_CASES.items()):
        with results.case(f"page: {name}"):
            check(directory / str(i))
    with results.case("page: in a browser"):
        run_browser(results, directory)
