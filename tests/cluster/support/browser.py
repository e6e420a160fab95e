"""A headless Chromium, driven through its driver (Debian: chromium, chromium-driver) by W3C WebDriver."""
from __future__ import annotations

import base64
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

from .ports import free_web_port
from .processes import spawn
from .waiting import wait_until

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def why_not() -> str | None:
    missing = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    return f"no {' and no '.join(missing)} here (Debian: chromium, chromium-driver)" if missing else None


class Browser:
    """One window of its own profile. Use as a context manager."""

    def __init__(self, width: int = 1280, height: int = 900, dark: bool = False):
        self.profile = tempfile.mkdtemp(prefix="kiwi-browser-")
        self.port = free_web_port()
        self.process = spawn(["chromedriver", f"--port={self.port}"], output=subprocess.DEVNULL)
        wait_until(lambda: self._ask("GET", "/status")["ready"], 30, "the browser's driver")
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--disable-background-networking", f"--window-size={width},{height}",
                     f"--user-data-dir={self.profile}"]
        if dark:
            arguments.append("--force-dark-mode")
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = f"/session/{made['sessionId']}"

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._ask("DELETE", self.session)
        except OSError:
            pass
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.profile, ignore_errors=True)

    def _ask(self, method: str, path: str, body: dict | None = None):
        data = None if body is None and method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode(errors='replace')}") from None

    # ---- what a person does

    def open(self, url: str) -> None:
        self._ask("POST", self.session + "/url", {"url": url})

    def run(self, script: str, *arguments):
        """The value of the script's `return`."""
        return self._ask("POST", self.session + "/execute/sync",
                         {"script": script, "args": list(arguments)})

    def text(self) -> str:
        return self.run("return document.body.innerText")

    def wait_text(self, text: str, timeout: float = 20.0) -> None:
        try:
            wait_until(lambda: text in self.text(), timeout, f"the page to say {text!r}", interval=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}; it says {self.text()!r}; {self.complaints()}") from None

    def _find(self, css: str) -> str:
        found = self._ask("POST", self.session + "/element", {"using": "css selector", "value": css})
        return found[_ELEMENT]

    def click(self, css: str) -> None:
        self._ask("POST", f"{self.session}/element/{self._find(css)}/click")

    def press(self, name: str) -> None:
        """The button that says so."""
        assert self.run("const b = [...document.querySelectorAll('button')].find("
                        "(one) => one.innerText.trim() === arguments[0] && one.offsetParent !== null);"
                        "b?.click(); return b !== undefined", name), f"no button {name!r}"

    def type(self, css: str, text: str) -> None:
        self._ask("POST", f"{self.session}/element/{self._find(css)}/value", {"text": text})

    def keys(self, text: str) -> None:
        actions = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self._ask("POST", self.session + "/actions",
                  {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def screen(self, width: int, height: int) -> None:
        """Of any size: a window has a least one."""
        self._ask("POST", self.session + "/goog/cdp/execute", {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}})

    def screenshot(self, file: pathlib.Path) -> None:
        file.write_bytes(base64.b64decode(self._ask("GET", self.session + "/screenshot")))

    def complaints(self) -> list[str]:
        """What the page wrote to its console: errors, refused sources. Not what it asks to be told:
        that nobody is logged in, and that changes are locked."""
        return [entry["message"] for entry in
                self._ask("POST", self.session + "/se/log", {"type": "browser"})
                if entry["level"] == "SEVERE" and not re.search(
                    r"/api/session - .* status of 401\b|/api/command\S* - .* status of 423\b",
                    entry["message"])]
