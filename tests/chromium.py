"""A real Chromium under test, told what to do over its debugging pipe: no driver, no port.

Source: https://chromedevtools.github.io/devtools-protocol/; messages are JSON, each ended by a
zero byte, on its file descriptors 3 (in) and 4 (out).
"""

import base64
import fcntl
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.system import need_program

SECONDS = 30.0
PHONE, DESKTOP = (390, 844), (1280, 900)
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--remote-debugging-pipe"),
)

CONTRAST = """(() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = rgb(colour).map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if ((rgb(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + .05) / (low + .05);
  };
  const found = [];
  for (const node of document.body.querySelectorAll("*")) {
    const style = getComputedStyle(node);
    const texts = [...node.childNodes].some(child => child.nodeType == 3 && child.data.trim());
    if (texts && ratio(style.color, behind(node)) < 4.5) found.push([node.outerHTML.slice(0, 80), style.color]);
    const shape = node.tagName == "path" && style.fill != "none";
    if (shape && ratio(style.fill, behind(node)) < 3) found.push([node.getAttribute("class"), style.fill]);
  }
  return found;
})()"""  # noqa: E501
"""Returns what has too little contrast: text against what is behind it, and shapes against theirs.

WCAG 2.2, 1.4.3 and 1.4.11.
"""


class Browser:
    """A page in a running Chromium; `complaints` is what the browser had to say against it."""

    def __init__(self, sending: int, receiving: int) -> None:
        """Take the pipe's two ends, and open an empty page."""
        self._sending, self._receiving = sending, receiving
        self._received = b""
        self._number = 0
        self._session: str | None = None
        self._events: list[str] = []
        self.complaints: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, url: str, size: tuple[int, int] = DESKTOP, scheme: str = "light") -> None:
        """Show a page in a window of a size, with the reader's wish for light or dark."""
        width, height = size
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=size == PHONE,
        )
        wish = {"name": "prefers-color-scheme", "value": scheme}
        self._call("Emulation.setEmulatedMedia", features=[wish])
        self._events.clear()
        self._call("Page.navigate", url=url)
        while "Page.loadEventFired" not in self._events:
            self._take()

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self) -> bytes:
        """Return the whole page as a PNG."""
        found = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._sending, json.dumps(message).encode() + b"\0")
        while True:
            taken = self._take()
            if taken.get("id") == self._number:
                assert "error" not in taken, taken
                result: dict[str, Any] = taken["result"]
                return result

    def _take(self) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS
        while b"\0" not in self._received:
            left = deadline - time.monotonic()
            assert select.select([self._receiving], [], [], max(0.0, left))[0], "it says nothing"
            part = os.read(self._receiving, 1 << 16)
            assert part, "Chromium has ended"
            self._received += part
        first, _, self._received = self._received.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        method = message.get("method", "")
        self._events.append(method)
        if method in ("Log.entryAdded", "Runtime.exceptionThrown", "Network.loadingFailed"):
            self.complaints.append(json.dumps(message["params"]))
        return message


def _pipe() -> tuple[int, int]:
    """Return a pipe with other descriptors than those that Chromium wants for itself."""
    ends = os.pipe()
    reading, writing = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return reading, writing


@contextmanager
def browser(folder: Path, options: Sequence[str] = ()) -> Iterator[Browser]:
    """Run Chromium with a profile in a folder; the test is skipped if there is no Chromium."""
    program = need_program("chromium", "chromium")
    theirs_in, ours_out = _pipe()
    ours_in, theirs_out = _pipe()
    # dash: the descriptors that it wants, whatever ours are.
    command = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
    process = subprocess.Popen(
        ["bash", "-c", command, program, *_OPTIONS, f"--user-data-dir={folder}", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(theirs_in, theirs_out),
        # Its socket there must have a path of at most 107 bytes.
        env={**os.environ, "HOME": str(folder), "TMPDIR": "/tmp"},
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Browser(ours_out, ours_in)
    finally:
        # The end of its pipe is its end too.
        os.close(ours_out)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(ours_in)
