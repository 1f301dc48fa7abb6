"""A real browser for the tests: headless Chromium, spoken to over its debugging pipe.

The DevTools protocol over a pipe needs nothing but Python: messages are JSON, ended by a zero byte
(https://chromedevtools.github.io/devtools-protocol/).
"""

import base64
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time

import pytest

_LAUNCH = """
import os, sys
there, back = (os.dup(int(n)) for n in sys.argv[1:3])
os.dup2(os.dup(there), 3); os.dup2(os.dup(back), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""

_OPTIONS = (
    *("--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1360,900"),
)


class Page:
    """One page of a headless Chromium."""

    def __init__(self, program, folder):
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        data = f"--user-data-dir={folder}"
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _LAUNCH,
                str(commands),
                str(answers),
                program,
                *_OPTIONS,
                data,
                "about:blank",
            ],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._inbox = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self._number = 0
        self.session = None
        self.events = []
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        opened = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = opened["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(1360, 900)

    def _listen(self):
        rest = b""
        while chunk := os.read(self._answers, 1 << 20):
            *messages, rest = (rest + chunk).split(b"\0")
            for message in messages:
                self._inbox.put(json.loads(message))
        self._inbox.put(None)

    def call(self, method, timeout=120, **params):
        """Call a method of the protocol and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + timeout
        while True:
            answer = self._inbox.get(timeout=max(until - time.monotonic(), 0.01))
            assert answer is not None, "the browser has gone"
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, path, *, dark=False, timeout=120):
        """Open a file and wait until the report in it is complete."""
        self.events.clear()
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.documentElement?.dataset.ready === 'yes'", timeout)

    def run(self, expression):
        """The value of a JavaScript expression (promises are awaited)."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, expression, timeout=30):
        """Wait until a JavaScript expression is true."""
        until = time.monotonic() + timeout
        while not self.run(expression):
            assert time.monotonic() < until, f"waited in vain for {expression}"
            time.sleep(0.05)

    def settle(self):
        """Wait for two frames, so that what was asked for is drawn."""
        self.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r())))")

    def mouse(self, kind, x, y, **more):
        """Send a mouse event: `moved`, `pressed`, `released` or `wheel`."""
        name = {"wheel": "mouseWheel"}.get(kind, f"mouse{kind.capitalize()}")
        self.call("Input.dispatchMouseEvent", type=name, x=x, y=y, **more)

    def click(self, x, y, count=1):
        """Click at a place of the window."""
        self.mouse("moved", x, y)
        for kind in ("pressed", "released"):
            self.mouse(kind, x, y, button="left", clickCount=count)
        self.settle()

    def key(self, name):
        """Press a key, given by its DOM name."""
        codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "End": 35}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=name, windowsVirtualKeyCode=codes[name]
            )
        self.settle()

    def resize(self, width, height):
        """Give the window another size."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def screenshot(self, path, *, whole=True):
        """Take a picture of the page."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def print(self, path):
        """Print to PDF."""
        found = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def complaints(self):
        """Errors and warnings of the console, and what was fetched beside the file itself."""
        found = []
        for event in self.events:
            method, params = event.get("method", ""), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(params["exceptionDetails"])
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
                found.append(params["args"])
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(params["entry"])
            elif method == "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith(("file:", "data:", "blob:")):
                    found.append(url)
        return found

    def close(self):
        """End the browser."""
        self.process.terminate()
        self.process.wait(10)
        os.close(self._commands)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A page of headless Chromium; the test is skipped where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("no Chromium on this machine: the report is not tried in a browser")
    page = Page(program, tmp_path_factory.mktemp("chromium"))
    yield page
    page.close()
