"""docs/small-site.md: its commands run as they stand, and its files are right."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import ROOT
from tests.readme import Block, Machine, blocks, machine
from tests.system import need_program

PAGE = ROOT / "docs" / "small-site.md"
_RUN = "mirrorlist run "
_READY = "listening on"


def _page() -> list[Block]:
    return blocks(PAGE.read_text(encoding="utf-8"))


class Reader:
    """Somebody who does what the page says, in a folder."""

    def __init__(self, folder: Path, machine: Machine) -> None:
        """Take the folder and a machine with a network of its own."""
        self._folder, self._machine = folder, machine
        self.printed: dict[str, str] = {}
        self.shown: list[tuple[str, str]] = []

    def read(self, block: Block) -> None:
        """Run a block, write the file that it is, or keep what it shows."""
        if block.is_run:
            path = f"PATH={Path(sys.executable).parent}:$PATH\n"
            ready = _READY if block.text.startswith(_RUN) else ""
            found = self._machine.run(path + block.text, ready)
            self.printed[block.text] = found.read_text(encoding="utf-8")
        elif block.kind == "toml":
            (self._folder / "site" / "mirrors.toml").write_text(block.text, encoding="utf-8")
        elif block.kind == "text":
            self.shown.append((block.text, [*self.printed.values()][-1]))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Read the page from the top to the end."""
    for program, package in (("createrepo_c", "createrepo-c"), ("curl", "curl")):
        need_program(program, package)
    folder, output = (tmp_path_factory.mktemp(name) for name in ("small", "output"))
    with machine(folder, output) as ours:
        found = Reader(folder, ours)
        for block in _page():
            found.read(block)
        yield found


@pytest.mark.system
def test_the_page(reader: Reader) -> None:
    """The commands do what the page says: one mirror is offered, and it is not drained."""
    for shown, printed in reader.shown:
        assert printed == shown
    said = {text.partition("\n")[0].strip(): printed for text, printed in reader.printed.items()}
    (metalink,) = (printed for text, printed in said.items() if "/metalink?" in text)
    assert "http://127.0.0.1:8001/9/x86_64/os/repodata/repomd.xml" in metalink
    assert '<hash type="sha256">' in metalink
    assert not re.search(":800[23]", metalink)
    (hosts,) = (
        printed
        for text, printed in said.items()
        if text.endswith("host list --database sqlite:///state/mirrors.db")
    )
    lines = hosts.splitlines()
    assert re.match(r"dead\.example +NL +no +\S+ \S+ UTC +no URL answers: ", lines[1])
    assert lines[2].split() == ["good.example", "DE", "all"]
    assert "stale.example" in lines[3]
    (drained,) = (printed for text, printed in said.items() if " drain " in text)
    assert "good.example is the last mirror that clients get for base-9 x86_64" in drained


def test_the_file_is_short() -> None:
    """The file has three mirrors in few lines, and the unit and fronts that are named exist."""
    (file,) = (block.text for block in _page() if block.kind == "toml")
    assert file.count("[[mirror]]") == 3
    links = re.findall(r"\]\(((?:\.\./)?[\w./@-]+)(?:#[\w-]+)?\)", PAGE.read_text("utf-8"))
    assert [one for one in links if not (PAGE.parent / one).exists()] == []


@pytest.mark.system
def test_the_front(tmp_path: Path) -> None:
    """Caddy takes the three lines."""
    caddy = need_program("caddy", "caddy")
    (text,) = (block.text for block in _page() if block.kind == "caddy")
    (tmp_path / "Caddyfile").write_text(text)
    command = [str(caddy), "validate", "--config", "Caddyfile", "--adapter", "caddyfile"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
