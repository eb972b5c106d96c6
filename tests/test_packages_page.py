"""The page `/packages?name=` of a watch: what `packages find` says, beside health and metrics."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from mirrorlist.cli.packages_page import found
from mirrorlist.process.threads import Threads
from mirrorlist.status.admin import Admin, Reply
from mirrorlist.status.search import searching
from mirrorlist.web.listener import listen
from tests.live import Response, exchange, request
from tests.packaged import X86, Rpm, Site, hosts
from tests.scanned import statements


@contextmanager
def running(search: Callable[[str], Reply]) -> Iterator[int]:
    """Run a listener with a search and a page; yields its port."""
    listener = listen("127.0.0.1", 0)
    pages = {("GET", "/page"): lambda: Reply(200, b"here")}
    admin = Admin(listener, pages, more=[searching("/packages", search)])
    admin.start(Threads(print))
    port: int = listener.getsockname()[1]
    yield port
    admin.stop()


def ask(port: int, query: str, method: str = "GET") -> Response:
    """Ask for the page."""
    return exchange(port, request(f"/packages{query}".encode(), method))


def test_a_package(tmp_path: Path) -> None:
    """The page has what the command prints, and only reads the database."""
    site = Site(tmp_path, X86, more=hosts())
    site.write(X86, Rpm("tea"), Rpm("tea", "2"))
    site.run()
    with running(partial(found, site.url)) as port, statements() as sent:
        answer = ask(port, "?name=tea")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    some = json.loads(answer.body)["packages"]
    assert [(one["version"], one["mirrors"]) for one in some] == [("2-1", 2), ("1-1", 2)]
    assert all(sql.lstrip().startswith(("SELECT", "PRAGMA")) for sql in sent)
    assert [sql for sql in sent if "mirrorlist_package" in sql]


def test_no_package(tmp_path: Path) -> None:
    """A name that no repository has, a database without an import, and none at all are told."""
    site = Site(tmp_path, X86)
    with running(partial(found, site.url)) as port:
        answer = ask(port, "?name=tea")
        assert answer.status == 404
        assert "no packages have been imported" in json.loads(answer.body)["error"]
        site.write(X86, Rpm("cup"))
        site.run()
        answer = ask(port, "?name=tea")
        assert (answer.status, json.loads(answer.body)) == (404, {"packages": []})
    with running(partial(found, f"sqlite:///{tmp_path}/none")) as port:
        answer = ask(port, "?name=tea")
        assert answer.status == 503
        assert "no such database file" in json.loads(answer.body)["error"]


@pytest.mark.parametrize(
    "query",
    [
        *("", "?", "?name=", "?name=a&name=b", "?names=a", f"?name={'a' * 257}"),
        *("?name=a%00", "?name=%ff", "?name=a%0ab", "?" + "&".join(["x=1"] * 99) + "&name=a"),
    ],
)
def test_no_name(query: str) -> None:
    """Without one usable name, nothing is searched for."""
    with running(lambda name: Reply(200, b"!")) as port:
        assert ask(port, query).status == 400


def test_one_at_a_time() -> None:
    """While a search hangs, another one is refused, and other pages are answered."""
    begun, goes_on = threading.Event(), threading.Event()

    def hang(name: str) -> Reply:
        begun.set()
        goes_on.wait()
        return Reply(200, name.encode())

    answers: list[Response] = []
    with running(hang) as port:
        first = threading.Thread(target=lambda: answers.append(ask(port, "?name=a")))
        first.start()
        begun.wait()
        # A process does not wait for such a thread when it ends.
        assert [one.daemon for one in threading.enumerate() if one.name == "page"] == [True]
        other = ask(port, "?name=b")
        assert (other.status, other.headers["retry-after"]) == (503, "10")
        assert exchange(port, request(b"/page")).body == b"here"
        goes_on.set()
        first.join()
        assert ask(port, "?name=c").body == b"c"
    assert answers[0].body == b"a"


def test_an_error_in_a_search(capfd: pytest.CaptureFixture[str]) -> None:
    """It is an answer, and the next search is made."""

    def search(name: str) -> Reply:
        if name == "a":
            raise ZeroDivisionError
        return Reply(200, name.encode())

    with running(search) as port:
        assert ask(port, "?name=a").status == 500
        assert ask(port, "?name=b").body == b"b"
    capfd.readouterr()


def test_a_thread_that_the_system_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and the next search is made."""
    begin = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "page" and refused:
            raise RuntimeError(refused.pop())
        begin(thread)

    refused = ["can't start new thread"]
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with running(lambda name: Reply(200, name.encode())) as port:
        answer = ask(port, "?name=a")
        assert answer.status == 503
        assert json.loads(answer.body) == {
            "error": "the system refuses a thread: can't start new thread"
        }
        assert ask(port, "?name=b").body == b"b"
