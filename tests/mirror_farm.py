"""Mirrors on loopback that are right, stale, dead, slow, silent, dripping, lying or redirecting."""

import asyncio
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from ssl import SSLContext


class Farm:
    """One server that is many mirrors: the first part of a path is the mirror's name.

    `kinds` says how each behaves; `roots` which tree each has. A name that is in neither has the
    tree `main` and is right.
    """

    def __init__(self, main: Path) -> None:
        """Take the tree of the mirrors that are right."""
        self.main = main
        self.kinds: dict[str, str] = {}
        self.roots: dict[str, Path] = {}
        self.raw: dict[str, bytes] = {}
        """Whole answers, byte for byte."""
        self.port = 0
        self.most_at_once = 0
        self.asked: Counter[str] = Counter()
        self.looked: Counter[str] = Counter()
        """Requests with HEAD, or for a single byte."""
        self.bad_head: dict[str, str] = {}
        """What some answer to HEAD instead of the truth, up to the end of the head."""
        self.unchanged = 0
        self.codings: set[bytes] = set()
        self.target = ""
        self.kinds_of_ipv6: dict[str, str] = {}
        self.loop = asyncio.new_event_loop()
        self._at_once = 0

    def url(self, name: str) -> str:
        """Return the URL of a mirror."""
        return f"http://127.0.0.1:{self.port}/{name}/"

    def _place(self) -> str:
        return self.target.format(port=self.port)

    @contextmanager
    def also_on(self, address: str) -> Iterator[None]:
        """Answer on a second address too, on the same port."""

        async def serve() -> asyncio.Server:
            return await asyncio.start_server(self.answer, address, self.port)

        server = asyncio.run_coroutine_threadsafe(serve(), self.loop).result()
        try:
            yield
        finally:
            self.loop.call_soon_threadsafe(server.close)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while line := await reader.readline():
                etag, is_part = b"", line.startswith(b"HEAD ")
                while head := (await reader.readline()).strip():
                    name, _, value = head.partition(b":")
                    if name.lower() == b"if-none-match":
                        etag = value.strip()
                    elif name.lower() == b"range":
                        is_part = True
                    elif name.lower() == b"accept-encoding":
                        self.codings.add(value.strip())
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                try:
                    path = line.split()[1].decode()
                    if is_part:
                        await self._look(path, line.startswith(b"HEAD "), writer)
                    else:
                        await self._one(path, etag, writer)
                finally:
                    self._at_once -= 1
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _look(self, path: str, is_head: bool, writer: asyncio.StreamWriter) -> None:
        name, _, rest = path.lstrip("/").partition("/")
        self.looked[name] += 1
        file = self.roots.get(name, self.main) / rest
        body = file.read_bytes() if file.is_file() else None
        size = len(body) if body is not None else 0
        if self.kinds.get(name) == "redirect":
            place = f"{self._place()}/right/{rest}"
            head = f"302 Found\r\nLocation: {place}\r\nContent-Length: 0"
        elif is_head and name in self.bad_head:
            head = self.bad_head[name]
        elif body is None:
            head = "404 Not Found\r\nContent-Length: 0"
        elif is_head:
            head = f"200 OK\r\nContent-Length: {size}"
        else:
            head = f"206 Partial Content\r\nContent-Range: bytes 0-0/{size}\r\nContent-Length: 1"
        writer.write(f"HTTP/1.1 {head}\r\n\r\n".encode())
        if not is_head and " 206 " in f" {head}":
            writer.write((body or b"")[:1])
        await writer.drain()

    async def _one(self, path: str, etag: bytes, writer: asyncio.StreamWriter) -> None:
        name, _, rest = path.lstrip("/").partition("/")
        self.asked[name] += 1
        is_ipv6 = ":" in writer.get_extra_info("sockname")[0]
        kind = (self.kinds_of_ipv6 if is_ipv6 else self.kinds).get(name, "")
        if name in self.raw:
            writer.write(self.raw[name])
            await writer.drain()
            return
        if kind == "reset":
            writer.transport.abort()
            raise ConnectionResetError
        if kind == "slow":
            await asyncio.sleep(0.02)
        if kind == "silent":
            await asyncio.sleep(60)
        file = self.roots.get(name, self.main) / rest
        body = file.read_bytes() if file.is_file() else b""
        head = "200 OK" if body else "404 Not Found"
        more = ""
        if kind == "html":
            head, body = "200 OK", b"<html><body>It works!</body></html>"
        elif kind == "broken":
            head, body = "500 Internal Server Error", b""
        elif kind == "busy":
            head, body = "429 Too Many Requests", b""
        elif kind == "gzip":
            more = "Content-Encoding: gzip\r\n"
        elif kind == "huge":
            head, body = "200 OK", b"x" * (5 << 20)
        elif kind == "redirect":
            head, body, more = "302 Found", b"", f"Location: {self._place()}/right/{rest}\r\n"
        elif kind == "loop":
            head, body, more = "302 Found", b"", f"Location: {path}\r\n"
        if head == "200 OK" and kind != "no ETag":
            mine = f'"{zlib.crc32(body)}"'
            more += f"ETag: {mine}\r\n"
            if etag == mine.encode():
                self.unchanged += 1
                head, body = "304 Not Modified", b""
        writer.write(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode())
        if kind == "drip":
            for byte in body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.05)
        else:
            writer.write(body)
        await writer.drain()


@contextmanager
def run_farm(main: Path, secure: SSLContext | None = None) -> Iterator[Farm]:
    """Run the mirrors while the block runs."""
    farm, ready = Farm(main), threading.Event()
    loop = farm.loop

    async def serve() -> None:
        server = await asyncio.start_server(farm.answer, "127.0.0.1", 0, backlog=512, ssl=secure)
        farm.port = server.sockets[0].getsockname()[1]
        ready.set()
        try:
            await asyncio.Event().wait()
        finally:
            server.close()

    task = loop.create_task(serve())

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            for one in asyncio.all_tasks(loop):
                one.cancel()
            loop.run_until_complete(asyncio.sleep(0.01))
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        yield farm
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
