"""`POST /hook`: whose requests are taken, and how all others are refused."""

import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from mirrorlist.process.threads import Threads
from mirrorlist.status.admin import Admin
from mirrorlist.status.signed_hook import TIMELY_SECONDS, SignedHook
from mirrorlist.web.bodied import MAX_BODY_BYTES
from mirrorlist.web.listener import listen
from snapshot.file.errors import ScanSettingsError
from tests.hooked import SECRET, sent, signed
from tests.live import ROOT, Response, exchange, read_to_end
from tests.system import need_program

NOW = 1_700_000_000.0
FIELDS = b"category=Fedora+EPEL&path=9%2FEverything"


class Listener:
    """An admin listener with a hook, and what the hook has taken."""

    def __init__(
        self, secret: bytes | None = SECRET, clock: Callable[[], float] = lambda: NOW
    ) -> None:
        """Begin to answer."""
        self.taken: list[tuple[str, str]] = []
        self.hook = SignedHook(secret, self._take, clock)
        listener = listen("127.0.0.1", 0)
        self.port: int = listener.getsockname()[1]
        self.admin = Admin(listener, {}, {"/hook": self.hook.answer})
        self.admin.start(Threads(print))

    def _take(self, category: str, path: str) -> None:
        if category != "Fedora EPEL":
            raise ScanSettingsError(f"category {category}: not scanned here")
        self.taken.append((category, path))

    def post(self, body: bytes = b"", query: bytes = b"", **changes: bytes) -> Response:
        """Send a signed request, of which `signature` or `length` may be another one."""
        return exchange(self.port, sent(body, query, **changes))


@pytest.fixture(scope="module")
def shared() -> Iterator[Listener]:
    """A listener for all tests of this module."""
    listener = Listener()
    yield listener
    listener.admin.stop()


@pytest.fixture
def listener(shared: Listener) -> Listener:
    """The listener, which has taken nothing."""
    shared.taken.clear()
    return shared


@pytest.mark.parametrize(
    ("body", "query"),
    [
        pytest.param(FIELDS, b"", id="in the body"),
        pytest.param(b"", FIELDS, id="in the query"),
        pytest.param(FIELDS + b"&timestamp=%d" % NOW, b"", id="with a time"),
        pytest.param(FIELDS + b"&timestamp=%d" % (NOW - TIMELY_SECONDS), b"", id="just in time"),
    ],
)
def test_what_is_taken(listener: Listener, body: bytes, query: bytes) -> None:
    """A request whose body or query is signed is taken, and says what follows."""
    answer = listener.post(body, query)
    assert (answer.status, answer.body) == (
        202, b"A scan of Fedora EPEL: 9/Everything follows.\n",
    )  # fmt: skip
    assert listener.taken == [("Fedora EPEL", "9/Everything")]


def test_a_whole_category(listener: Listener) -> None:
    """Without a path it is the whole category."""
    assert listener.post(b"category=Fedora EPEL").body == b"A scan of Fedora EPEL follows.\n"
    assert listener.taken == [("Fedora EPEL", "")]


@pytest.mark.parametrize(
    ("body", "changes", "status", "words"),
    [
        pytest.param(FIELDS, {"signature": b""}, 403, "is missing", id="no signature"),
        pytest.param(FIELDS, {"signature": b"sha1=00"}, 403, "begin with sha256=", id="sha1"),
        pytest.param(FIELDS, {"signature": b"sha256=00"}, 403, "not that of", id="wrong"),
        pytest.param(FIELDS, {"signature": b"sha256=\xff\xe9"}, 403, "not that of", id="bytes"),
        pytest.param(
            FIELDS, {"signature": signed(FIELDS, b"x" * 20)}, 403, "not that of", id="other secret"
        ),
        pytest.param(FIELDS, {"query": b"path=x"}, 400, "use one of them", id="both"),
        pytest.param(b"path=x", {}, 400, "category is missing", id="no category"),
        pytest.param(b"category=&path=x", {}, 400, "category is missing", id="empty category"),
        pytest.param(b"", {}, 400, "category is missing", id="nothing"),
        pytest.param(b"category=a&category=b", {}, 400, "there twice", id="twice"),
        pytest.param(b"category=a&x=b", {}, 400, "and no others", id="unknown"),
        pytest.param(b"category=%ff", {}, 400, "not UTF-8", id="not UTF-8"),
        pytest.param(b"\xff\xfe", {}, 400, "not UTF-8", id="no text"),
        pytest.param(b'{"category": "a"}', {}, 400, "and no others", id="json"),
        pytest.param(b"category=Other", {}, 400, "not scanned here", id="other category"),
        pytest.param(FIELDS + b"&timestamp=x", {}, 400, "not a number", id="no time"),
        pytest.param(
            FIELDS + b"&timestamp=%d" % (NOW - TIMELY_SECONDS - 1), {}, 403, "300 s", id="old"
        ),
        pytest.param(
            FIELDS + b"&timestamp=%d" % (NOW + TIMELY_SECONDS + 1), {}, 403, "300 s", id="early"
        ),
        pytest.param(b"x" * (MAX_BODY_BYTES + 1), {}, 413, "8,192 bytes", id="too long"),
        pytest.param(b"", {"length": b"9" * 18}, 413, "8,192 bytes", id="announced"),
        pytest.param(
            b"category=" + quote("\ud800", errors="surrogatepass").encode(), {}, 400, "UTF-8",
            id="surrogate",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(
    listener: Listener, body: bytes, changes: dict[str, bytes], status: int, words: str
) -> None:
    """Each mistake is a status of 400 to 499 with its reason, is counted, and takes nothing."""
    before = listener.hook.counts.refused
    answer = listener.post(body, **changes)
    assert answer.status == status
    assert words in answer.body.decode()
    assert listener.taken == []
    assert listener.hook.counts.refused == before + 1


def test_a_body_of_the_limit(listener: Listener) -> None:
    """The longest body is read; its fields are judged."""
    body = (FIELDS + b"&x=").ljust(MAX_BODY_BYTES, b"x")
    assert listener.post(body).status == 400


def test_a_body_in_pieces(listener: Listener) -> None:
    """A body that comes byte by byte is taken when it is whole."""
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as connection:
        whole = sent(FIELDS)
        connection.sendall(whole[: -len(FIELDS)])
        for byte in FIELDS:
            connection.sendall(bytes([byte]))
        assert read_to_end(connection).startswith(b"HTTP/1.1 202 ")
    assert len(listener.taken) == 1


def test_a_kept_connection(listener: Listener) -> None:
    """Requests with bodies may follow each other on one connection, even at once."""
    two = sent(FIELDS).replace(b"Connection: close\r\n", b"") + sent(FIELDS)
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as connection:
        connection.sendall(two)
        assert read_to_end(connection).count(b"HTTP/1.1 202 ") == 2
    assert len(listener.taken) == 2


def test_a_body_in_chunks(listener: Listener) -> None:
    """A body without a length is refused, and not waited for."""
    lines = [b"POST /hook HTTP/1.1", b"Host: test", b"Transfer-Encoding: chunked"]
    lines += [b"X-Hub-Signature-256: " + signed(FIELDS), b"", b"%x" % len(FIELDS), FIELDS]
    assert exchange(listener.port, b"\r\n".join([*lines, b"0", b"", b""])).status == 411
    assert listener.taken == []


def test_who_goes(listener: Listener) -> None:
    """A client that goes before the end of its body takes nothing with it."""
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as connection:
        connection.sendall(sent(FIELDS)[:-5])
    assert listener.post(FIELDS).status == 202
    assert len(listener.taken) == 1


def test_other_methods_and_paths(listener: Listener) -> None:
    """Only POST is answered; another path is not there, whatever its body."""
    assert exchange(listener.port, sent(FIELDS).replace(b"POST", b"GET")).status == 405
    assert exchange(listener.port, sent(FIELDS).replace(b"/hook", b"/other")).status == 404


def test_without_a_secret() -> None:
    """Without a secret every request is refused."""
    listener = Listener(None)
    assert listener.post(FIELDS).status == 403
    assert listener.post(FIELDS, signature=signed(FIELDS, b"")).status == 403
    listener.admin.stop()
    assert listener.taken == []


@pytest.mark.system
def test_the_example(tmp_path: Path) -> None:
    """The commands of the page, with openssl and curl, are taken."""
    need_program("openssl", "openssl")
    need_program("curl", "curl")
    page = (ROOT / "docs" / "scan.md").read_text(encoding="utf-8")
    (example,) = [one for one in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "curl" in one]
    (tmp_path / "hook").write_bytes(SECRET + b"\n")
    listener = Listener(clock=time.time)
    example = example.replace("/etc/mirrorlist/hook", str(tmp_path / "hook"))
    example = example.replace("127.0.0.1:3004", f"127.0.0.1:{listener.port}")
    done = subprocess.run(
        ["sh", "-c", example], capture_output=True, text=True, timeout=30, check=False
    )
    listener.admin.stop()
    assert done.stdout == "A scan of Fedora EPEL: 9/Everything/x86_64 follows.\n", done.stderr
    assert listener.taken == [("Fedora EPEL", "9/Everything/x86_64")]
