"""Receives spool files over HTTP, where neither rsync nor a shared volume carries them.

POST /spool with the bytes of a file and `Authorization: Bearer TOKEN` writes them whole into a
spool. An answer of 204 means that the file is on the disk; after any other answer the sender keeps
its file, and sends it again. To send one twice does no harm: a collector takes a batch once.

uvicorn reads the requests with its own protocol: that of the other listeners reads no bodies. So
the port is for the site's own servers.
"""

import asyncio
import hashlib
import hmac
import socket
import threading
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from mirrorlist.process.threads import Threads
from snapshot.file.errors import SpoolError
from snapshot.stats.spool import MOST_FILE_BYTES, SUFFIX, decode, write

PATH = "/spool"
BODY_SECONDS = 60.0
"""A body that takes longer is refused."""
_MOST_CONNECTIONS = 64
_STOP_SECONDS = 5
LEAST_TOKEN = 16
"""A shorter token is refused: it could be guessed."""


class _Refused(Exception):
    """An upload that is not taken: its status and a line."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


def make_receiver(folder: Path, token: str) -> Starlette:
    """Return the app that writes what is posted with a token into a folder."""
    wanted = f"Bearer {token}".encode()

    async def receive(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, wanted):
            headers = {"www-authenticate": "Bearer"}
            return Response("The token is missing or wrong.\n", 401, headers)
        try:
            data = await _body(request)
            await run_in_threadpool(_keep, folder, data)
        except ClientDisconnect:
            return Response(status_code=400)
        except _Refused as refused:
            return Response(f"{refused}.\n", refused.status)
        return Response(status_code=204)

    return Starlette(routes=[Route(PATH, receive, methods=["POST"])])


async def _body(request: Request) -> bytes:
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                data += chunk
                if len(data) > MOST_FILE_BYTES:
                    raise _Refused(413, f"A spool file has at most {MOST_FILE_BYTES:,} bytes")
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


class Receiver:
    """Answers on a socket that listens, from a thread of its own."""

    def __init__(self, listener: socket.socket, app: Starlette) -> None:
        """Take the socket, which is closed at the end, and the app."""
        self._config = uvicorn.Config(
            app,
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
        self._listener = listener
        self._server: uvicorn.Server | None = None
        self._is_stopping, self._ended = False, threading.Event()

    def start(self, threads: Threads) -> None:
        """Begin to answer."""
        threads.go_on("spool receiver", self._run)

    def stop(self) -> None:
        """End the answers under way, then close the socket."""
        self._is_stopping = True
        if self._server:
            self._server.should_exit = True
            if self._server.started:
                self._ended.wait(2 * _STOP_SECONDS)

    def _run(self) -> bool:
        """Answer until the stop; after an error the next call begins with a new event loop."""
        self._server = server = uvicorn.Server(self._config)
        # Checked after the server is set, because `stop` sets its flag before it ends the server.
        if self._is_stopping:
            server.should_exit = True
        server.run(sockets=[self._listener])
        self._ended.set()
        return True
