"""Debian's Chromium, driven over its debugging pipe, which needs no package and no second program."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from linq_provider.emulator import Emulator

FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # a container's root has no sandbox; the only page that is opened is our own
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",  # as a website's own DNS server could answer
    "--password-store=basic",
)
KEYS = {"Enter": ("\r", 13), "Escape": ("", 27), "Tab": ("", 9)}
# Seconds for what the page should show in well under one; a busy machine may need more.
PATIENCE = 15.0


class Browser:
    """One Chromium without windows. Commands and events are JSON, each ended by a zero byte."""

    def __init__(self, program: str, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # Chromium expects its ends at 3 and 4; where they are now must be elsewhere, or one would hide the other.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 5) for end in (to_browser, from_browser)]
        options = [*FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{ends[0]} 4>&{ends[1]}', "bash", program, *options],
            pass_fds=ends,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (to_browser, from_browser, *ends):
            os.close(end)
        self._received = b""
        self._last = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """The result of one command; events that come first are kept in `events`."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters} | (
            {"sessionId": session} if session else {}
        )
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._message()).get("id") != self._last:
            self.events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._read], [], [], 2 * PATIENCE)
            chunk = os.read(self._read, 65536) if ready else b""
            assert chunk, f"Chromium does not answer; exit code {self._process.poll()}"
            self._received += chunk
        message, _, self._received = self._received.partition(b"\0")
        return dict(json.loads(message))

    def close(self) -> None:
        """End the browser and wait for it."""
        with contextlib.suppress(OSError, AssertionError):
            self.call("Browser.close")
        os.close(self._write)
        os.close(self._read)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Tab:
    """One page in a separate browser context, with what a person does: look, click, type."""

    def __init__(self, browser: Browser, *, width: int = 1280, height: int = 900) -> None:
        self.browser = browser
        context = browser.call("Target.createBrowserContext")["browserContextId"]
        self._target = browser.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def call(self, method: str, **parameters: Any) -> Any:
        """The result of one command to this tab."""
        return self.browser.call(method, self._session, **parameters)

    def resize(self, width: int, height: int) -> None:
        """A desktop's window; under 600 pixels a phone's screen, which is sharper and touched."""
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )

    def prefer(self, **features: str) -> None:
        """What the person prefers, such as `color_scheme="dark"` or `reduced_motion="reduce"`."""
        named = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=named)

    def open(self, url: str) -> None:
        """Go there, and wait until the page is live."""
        self.call("Page.navigate", url=url)
        self.until('document.querySelector("#connection")?.dataset.state === "live"')

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, f"{script}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def until(self, script: str) -> Any:
        """The value of the expression as soon as it is true."""
        seen = self.run(
            f"new Promise((done) => {{ const end = performance.now() + {PATIENCE * 1000}; const look = () => {{"
            f" const seen = {script}; seen || performance.now() > end ? done(seen) : setTimeout(look, 20); }}; look(); }})"
        )
        assert seen, f"never true: {script}\n{self.text('body')}"
        return seen

    def text(self, selector: str) -> str:
        """What the first such element shows."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def click(self, selector: str) -> None:
        """Click the middle of the first such element with the mouse."""
        box = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Type into the element that has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press Enter, Escape or Tab."""
        text, code = KEYS[key]
        for kind in ("keyDown", "keyUp"):
            also = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **also)

    def screenshot(self, file: Path, *, whole: bool = True) -> None:
        """A PNG of the page, down to its end or of what the window shows."""
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(picture["data"]))

    def complaints(self) -> list[str]:
        """The messages of the browser's console: errors of scripts, refused resources, failed requests."""
        loud = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [json.dumps(event["params"]) for event in self._events() if event["method"] in loud]

    def hosts(self) -> set[str]:
        """The hosts that the page asked for something."""
        events = [event["params"] for event in self._events() if event["method"] == "Network.requestWillBeSent"]
        return {host for event in events if (host := urlsplit(event["request"]["url"]).netloc)}

    def _events(self) -> list[dict[str, Any]]:
        self.run("1")
        return [event for event in self.browser.events if event.get("sessionId") == self._session]

    def close(self) -> None:
        """Close the tab."""
        self.browser.call("Target.closeTarget", targetId=self._target)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, once for all tests; skips them where there is none."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium on PATH: `apt-get install chromium` gets the browser that these tests drive")
    running = Browser(program, tmp_path_factory.mktemp("chromium"))
    try:
        yield running
    finally:
        running.close()


@pytest.fixture(params=[1280, 390], ids=["desktop", "phone"])
def tab(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Tab]:
    """A tab of a desktop's width and one of a phone's."""
    opened = Tab(browser, width=request.param, height=900 if request.param > 600 else 844)
    yield opened
    opened.close()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator with three lines."""
    with Emulator() as running:
        yield running
