"""README's commands run as they stand in a fresh clone, and print what README shows."""

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live import ROOT, wait_until
from tests.readme import SECONDS, Block, blocks, clone, machine
from tests.system import need_program

README = ROOT / "README.md"
# What differs from run to run, and what it is held to have the form of.
_VOLATILE = {
    r"\b[0-9a-f]{32}\b": "an id",
    r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC": "a time",
    r"\b\d+(\.\d+)? s\b": "a duration",
    r"\b[\d,]+ bytes": "a size",
    r"iptocc [\d.]+": "a version",
    # Lists are drawn: the place of a host.
    r'preference="\d+"': "a place",
    r"(?m)^\d+ +(?=[a-z]+ +[A-Z]{2} )": "a place ",
}


@dataclass(frozen=True)
class Shown:
    """What README shows as a block's output, and what was printed."""

    block: Block
    printed: str


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Shown]]:
    """Run every block in a fresh clone, in order, and yield each output that README shows."""
    for program in ("make", "curl", "sqlite3"):
        need_program(program, program)
    folder, output = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("output")
    page, printed, staying = README.read_text(encoding="utf-8"), Path(), dict[str, Path]()
    found = []
    with machine(clone(folder), output) as ours:
        for block in blocks(page):
            if block.is_run:
                printed = ours.run(block.text, block.ready)
                if block.ready:
                    staying[block.text] = printed
            elif block.kind == "text":
                found.append((block, _said_by(block, staying) or printed))
                wait_until(block.text, lambda: _is_printed(*found[-1]), SECONDS)
        yield [Shown(block, path.read_text(encoding="utf-8")) for block, path in found]


def _said_by(block: Block, staying: dict[str, Path]) -> Path | None:
    command = block.remark.removeprefix("said by: ")
    return next((path for text, path in staying.items() if command and command in text), None)


def _is_printed(block: Block, output: Path) -> bool:
    """Whether as many lines are there as README shows, or its place is to be written."""
    # What says more later is waited for.
    enough = len(output.read_text(encoding="utf-8").splitlines()) >= len(block.text.splitlines())
    return enough or not block.remark


def _form(text: str) -> list[str]:
    """Return the lines of an output without what differs from run to run, in a fixed order."""
    for pattern, kind in _VOLATILE.items():
        text = re.sub(pattern, f"<{kind}>", text)
    # Each list is drawn: its lines are held, their order is not.
    return sorted(line.rstrip() for line in text.splitlines())


@pytest.mark.system
def test_the_commands_print_what_is_shown(shown: list[Shown]) -> None:
    """Each command ends well, and prints what README shows but for times, ids and drawn order."""
    if os.environ.get("UPDATE_DOCS"):
        _write(shown)
        return
    assert len(shown) > 4
    for each in shown:
        assert _form(each.printed) == _form(each.block.text), "run it with UPDATE_DOCS=1"


def _write(shown: list[Shown]) -> None:
    page = README.read_text(encoding="utf-8")
    for each in reversed(shown):
        start, end = each.block.start, each.block.start + len(each.block.text)
        # Blanks at the ends of lines are an editor's first victims.
        printed = "".join(f"{line.rstrip()}\n" for line in each.printed.splitlines())
        page = page[:start] + printed + page[end:]
    README.write_text(page, encoding="utf-8")


def test_what_is_not_run_needs_what_is_yours() -> None:
    """A block that is not run says why, and names a place that a clone has not."""
    not_run = [
        block for block in blocks(README.read_text()) if block.kind == "sh" and not block.is_run
    ]
    assert 0 < len(not_run) < 4
    assert all(re.search(r"example\.org|/var/lib/", block.text) for block in not_run)


def test_no_command_hides() -> None:
    """Commands stand in blocks that are run, not in indented ones that nothing tries."""
    page = README.read_text(encoding="utf-8")
    assert {block.kind for block in blocks(page)} == {"sh", "text"}
    outside = "".join(re.split(r"^```.*?^```$", page, flags=re.M | re.S))
    assert not re.search(r"^ {4,}\S", outside, re.M)


def test_the_picture_is_small() -> None:
    """The status page's picture is there, is a PNG and costs a reader under 200 kB."""
    named = re.search(r"!\[.+\]\((docs/\S+\.png)\)", README.read_text(encoding="utf-8"))
    assert named
    picture = (ROOT / named[1]).read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) < 200_000
    width, _ = struct.unpack(">II", picture[16:24])
    assert width >= 800
