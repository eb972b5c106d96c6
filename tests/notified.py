"""In the place of systemd: the socket to which a service tells its state, and who told what."""

import os
import socket
import struct
import time
from pathlib import Path
from typing import NamedTuple

_CREDENTIALS = struct.Struct("3i")
_MESSAGE_BYTES = 4096


class Told(NamedTuple):
    """A message: the process that sent it, and its lines by their names."""

    process: int
    lines: dict[str, str]


class Manager:
    """A datagram socket as systemd has one, with the senders' numbers from the kernel."""

    def __init__(self, folder: Path, abstract: bool = False) -> None:
        """Listen on a socket in a folder, or on one whose name is not in the file system."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        name = f"mirrorlist-{os.getpid()}-{folder.name}" if abstract else str(folder / "notify")
        self._socket.bind(f"\0{name}" if abstract else name)
        self.address = f"@{name}" if abstract else name
        self.all: list[Told] = []

    def environment(self, watchdog: float = 0.3) -> dict[str, str]:
        """Return what systemd gives a service of Type=notify with WatchdogSec=."""
        return {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": str(round(watchdog * 1e6))}

    def next(self, seconds: float = 20.0) -> Told | None:
        """Return the next message; None if no message comes within this time."""
        self._socket.settimeout(seconds or 1e-6)
        try:
            text, ancillary, _, _ = self._socket.recvmsg(_MESSAGE_BYTES, 64)
        except TimeoutError:
            return None
        process, _, _ = _CREDENTIALS.unpack(ancillary[0][2])
        lines = dict(line.split("=", 1) for line in text.decode().splitlines())
        self.all.append(Told(process, lines))
        return self.all[-1]

    def until(self, name: str, value: str = "", seconds: float = 20.0) -> Told:
        """Return the next message with a line; `value` is a part of what the line says."""
        deadline = time.monotonic() + seconds
        while told := self.next(max(0.0, deadline - time.monotonic())):
            if value in told.lines.get(name, "") and name in told.lines:
                return told
        raise AssertionError(f"no {name}={value} within {seconds} s: {self.all}")

    def rest(self) -> list[Told]:
        """Return the messages that are here already."""
        found = []
        while told := self.next(0):
            found.append(told)
        return found

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()
