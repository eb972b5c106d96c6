"""rsync:// URLs have no escapes: names in them are raw, wherever a URL is made."""

import subprocess
from pathlib import Path
from random import Random
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.lists.answer import answer_stored
from mirrorlist.lists.explain import explain
from mirrorlist.lists.place import NOWHERE
from mirrorlist.lists.plan import Plan
from mirrorlist.request.client import Trust
from mirrorlist.request.query import parse_query
from snapshot.file.reader import Snapshot
from tests.clients.rsync import run_daemon
from tests.factories import edited, export_tables, file_detail
from tests.in_process import NOW, answered, respond
from tests.system import need_program

NAMES = ["passt-0^20250503-1.rpm", "a b.iso", "ünï.iso", "x%41.iso", "q?&<#>.iso"]
FOLDER = "pub/linux/40/x86_64/os"
# The percent signs of a URL in the database are what its owner wrote.
BASE = "rsync://host1.example/li%6Eux%7E"


def _snapshot(folder: Path, base: str = BASE) -> Snapshot:
    """Host 1 alone has rsync, http too; each name has details, so that there is a metalink."""
    tables = edited(
        ("host_category_url", 112, {"url": base}),
        *(
            ("file_detail", None, file_detail(100 + place, 2, filename=name))
            for place, name in enumerate([*NAMES, "end "])
        ),
    )
    tables["host_category_url"] = [row for row in tables["host_category_url"] if row["id"] < 120]
    return export_tables(folder, tables)[0]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The world with the names."""
    return Catalog(_snapshot(tmp_path_factory.mktemp("rsync")))


def _urls(catalog: Catalog, name: str, kind: str, protocol: str) -> dict[str, str]:
    """What each maker of lists gives, as text."""
    raw = f"path={FOLDER}/{quote(name)}&protocol={protocol}".encode()
    query, client = parse_query(raw, kind == "metalink"), Trust().believe("192.0.2.99", [], "")
    plan = Plan(query, catalog, 5)
    explained = explain(plan, client, NOWHERE, Random(1), NOW)
    kept = respond(catalog.snapshot, f"/{kind}?{raw.decode()}")
    return {
        "answer": answered(query, client, catalog).body.decode(),
        "stored order": answer_stored(plan, NOW).body.decode(),
        "service": kept.body.decode(),
        "explain": "\n".join(f">{url}<\n{url}\n" for host in explained.hosts for url in host.urls),
    }


@pytest.mark.parametrize("name", NAMES)
def test_raw_in_text_lists(catalog: Catalog, name: str) -> None:
    """In a text list and its explanation the name behind rsync is raw, behind http encoded."""
    for maker, text in _urls(catalog, name, "mirrorlist", "rsync,http").items():
        lines = text.splitlines()
        assert f"{BASE}/40/x86_64/os/{name}" in lines, maker
        assert f"http://host1.example/linux/40/x86_64/os/{quote(name, safe='&')}" in lines, maker


@pytest.mark.parametrize("name", NAMES)
def test_raw_in_metalinks(catalog: Catalog, name: str) -> None:
    """In a metalink too, but for what XML escapes."""
    for maker, text in _urls(catalog, name, "metalink", "rsync,http").items():
        written = name if maker == "explain" else escape(name)
        assert f">{BASE}/40/x86_64/os/{written}<" in text, maker
        encoded = quote(name, safe="&" if maker == "explain" else "")
        encoded = encoded.replace("%26", "&amp;")
        assert f">http://host1.example/linux/40/x86_64/os/{encoded}<" in text, maker


def test_a_blank_at_the_end_has_no_rsync_url(catalog: Catalog) -> None:
    """What a reader of lists would cut off is not offered by rsync, but by http.

    There is no metalink of it: the names of files in the database are taken without blanks.
    """
    for maker, text in _urls(catalog, "end ", "mirrorlist", "rsync,http").items():
        assert "rsync:" not in text, maker
        assert "http://host1.example/linux/40/x86_64/os/end%20" in text, maker


def test_a_redirect_is_encoded(catalog: Catalog) -> None:
    """A redirect never leads to rsync."""
    found = respond(catalog.snapshot, f"/mirrorlist?path={FOLDER}/a%20b.iso&redirect=1")
    assert found.location == "http://host1.example/linux/40/x86_64/os/a%20b.iso"


@pytest.mark.system
def test_a_real_daemon(tmp_path: Path) -> None:
    """A real rsync fetches each file by the URL of our list."""
    need_program("rsync", "rsync")
    tree = tmp_path / "tree" / "40" / "x86_64" / "os"
    tree.mkdir(parents=True)
    names = [name for name in NAMES if "?" not in name] + ["[set]*.iso", "libstdc++-9.rpm"]
    for name in names:
        (tree / name).write_text(name)
    with run_daemon(tmp_path, "127.0.0.1", {"linux": tmp_path / "tree"}) as daemon:
        snapshot = _snapshot(tmp_path / "snapshot", f"{daemon.url}/linux")
        for name in names:
            target = f"/mirrorlist?path={FOLDER}/{quote(name)}&protocol=rsync"
            url = respond(snapshot, target).body.decode().splitlines()[1]
            done = subprocess.run(
                ["rsync", "-q", url, f"{tmp_path}/out-{len(name)}/"],
                capture_output=True, check=False, timeout=60,
            )  # fmt: skip
            assert done.returncode == 0, (url, done.stderr)
            assert (tmp_path / f"out-{len(name)}" / name).read_text() == name
