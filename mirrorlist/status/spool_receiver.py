"""Receives spool files over HTTP, where neither rsync nor a shared volume carries them.

POST /spool with the bytes of a file and `Authorization: Bearer TOKEN` writes them whole into a
spool. An answer of 204 means that the file is on the disk; after any other answer the sender keeps
its file, and sends it again. To send one twice does no harm: a collector takes a batch once.

The connections have the limits of all listeners (docs/protocol.md#limits), but for the body, which
has that of a file. Without the token none of it is read.
"""

import asyncio
import hashlib
import hmac
import socket
import threading
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from mirrorlist.status.admin import Admin
from mirrorlist.web.bodied import BodiedProtocol, announced_bytes
from mirrorlist.web.limits import ANSWER_SECONDS
from mirrorlist.web.states import State
from snapshot.file.errors import SpoolError
from snapshot.stats.spool import MOST_FILE_BYTES, SUFFIX, decode, remove_parts, write

PATH = "/spool"
BODY_SECONDS = 60.0
"""A body that takes longer is refused."""
LEAST_TOKEN = 16
"""A shorter token is refused: it could be guessed."""


class _Refused(Exception):
    """An upload that is not taken: its status and a line."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


class UploadProtocol(BodiedProtocol):
    """A connection whose requests may have a spool file as their body."""

    most_bytes = MOST_FILE_BYTES

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        super()._start_asgi_task(cycle, app)
        # The app gives a slow body its answer before this deadline.
        self._enter(State.ANSWERING, BODY_SECONDS + ANSWER_SECONDS)


def receiver(listener: socket.socket, folder: Path, token: str) -> Admin:
    """Return what takes files on a socket that listens, and writes them into a folder."""
    remove_parts(folder)
    return Admin(listener, make_receiver(folder, token), protocol=UploadProtocol)


def make_receiver(folder: Path, token: str) -> Starlette:
    """Return the app that writes what is posted with a token into a folder."""
    wanted = f"Bearer {token}".encode()
    # One at a time is unpacked, which takes up to 500 MB of memory.
    one_at_a_time = threading.Lock()

    def keep(data: bytes) -> None:
        with one_at_a_time:
            _keep(folder, data)

    async def receive(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, wanted):
            headers = {"www-authenticate": "Bearer"}
            return Response("The token is missing or wrong.\n", 401, headers)
        try:
            _check_length(announced_bytes(request.headers.raw))
            await run_in_threadpool(keep, await _body(request))
        except ClientDisconnect:
            return Response(status_code=400)
        except _Refused as refused:
            return Response(f"{refused}.\n", refused.status)
        return Response(status_code=204)

    return Starlette(routes=[Route(PATH, receive, methods=["POST"])])


def _check_length(announced: int | None) -> None:
    if announced is None:
        raise _Refused(411, "The file's size must be announced by Content-Length")
    if announced > MOST_FILE_BYTES:
        raise _Refused(413, f"A spool file has at most {MOST_FILE_BYTES:,} bytes")


async def _body(request: Request) -> bytes:
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                data += chunk
    except TimeoutError as error:
        raise _Refused(408, f"The file took more than {BODY_SECONDS:g} s") from error
    return bytes(data)


def _keep(folder: Path, data: bytes) -> None:
    """Write a file whole, under a name that its content decides."""
    try:
        batches = decode(data)
        begun = min((one.begun for one in batches), default=0)
        digest = hashlib.sha256(data).hexdigest()[:32]
        write(folder, f"{begun:010}-{digest}-00000001{SUFFIX}", data)
    except SpoolError as error:
        raise _Refused(400, f"The file {error}") from error
    except OSError as error:
        raise _Refused(507, f"The file cannot be written: {error.strerror}") from error
