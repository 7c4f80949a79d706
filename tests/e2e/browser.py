# SPDX-License-Identifier: BSD-2-Clause
"""browser.py - a real headless Chromium, driven over the WebDriver protocol.

A client of a hundred lines instead of a library: a session is a few JSON requests to chromedriver
on loopback. The browser's profile is new and empty, and it is told to call home for nothing.
"""
import base64
import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import urllib.error
import urllib.request

from harness import LEASH, Failure, Skip, wait_for

TIMEOUT_S = 40
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name for a reference
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-dev-shm-usage", "--no-default-browser-check", "--hide-scrollbars"]


class Browser:
    """A context manager: one chromedriver, one Chromium, one tab."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.driver = None
        self.session = ""

    def __enter__(self):
        driver, browser = shutil.which("chromedriver"), shutil.which("chromium")
        if not driver or not browser:
            raise Skip("needs the packages chromium and chromium-driver")
        self.directory.mkdir(parents=True)
        self.driver = subprocess.Popen([*LEASH, driver, "--port=0"], text=True,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL)
        try:
            self.base = f"http://127.0.0.1:{self.read_port()}"
            self.start_session(browser)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Failure, OSError):
            if self.session:
                self.call("DELETE", "")
        self.driver.kill()
        self.driver.wait()
        self.driver.stdout.close()

    def read_port(self):
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                return int(found[1])
        raise Failure("chromedriver ended before it listened")

    def start_session(self, browser):
        arguments = [*ARGUMENTS, f"--user-data-dir={self.directory / 'profile'}"]
        answer = self.request("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": browser, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.session = f"/session/{answer['sessionId']}"

    # ---- the protocol

    def request(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise Failure(f"{path}: {value['error']}: {value['message'].splitlines()[0]}") from None

    def call(self, method, path, body=None):
        return self.request(method, self.session + path, body)

    def devtools(self, command, **params):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    # ---- what a visitor does

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script, *args):
        """The value that the body of a function returns in the page."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def await_true(self, what, script, *args, timeout_s=TIMEOUT_S):
        return wait_for(what, lambda: self.run(script, *args), timeout_s, 0.2)

    def click(self, selector):
        found = self.call("POST", "/element", {"using": "css selector", "value": selector})
        self.call("POST", f"/element/{found[ELEMENT]}/click", {})

    def keys(self, text):
        """To whatever has the focus."""
        steps = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys",
                                                    "actions": steps}]})

    def text(self, selector="main"):
        return self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    # ---- how it looks

    def resize(self, width, height=900):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=1, mobile=width < 600)

    def prefer(self, scheme):
        """A theme, and nothing that moves: colours are what they are at once."""
        self.devtools("Emulation.setEmulatedMedia",
                      features=[{"name": "prefers-color-scheme", "value": scheme},
                                {"name": "prefers-reduced-motion", "value": "reduce"}])

    def picture(self, path):
        """The whole page, not only what fits the window."""
        size = self.devtools("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 3200),
                "scale": 1}
        answer = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                               clip=clip)
        path.write_bytes(base64.b64decode(answer["data"]))

    # ---- what went on behind it

    def complaints(self):
        """Errors and warnings of the console since the last call."""
        entries = self.call("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def requested(self):
        """Every URL that was asked for since the last call."""
        entries = self.call("POST", "/se/log", {"type": "performance"})
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        return [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent"]

