"""docs/chain.md says of each stage what /chain says."""

from collections.abc import Iterator

from mirrorlist.status.stage import NAMES
from mirrorlist.status.stage_texts import STAGES
from tests.pages import hold


def _sections() -> Iterator[str]:
    for one in STAGES.values():
        counted = f"It receives and processes {one.received}; its backlog is of {one.backlog}."
        yield from ("", f"## {one.name}", "", f"{one.does} {counted}", "")
        yield from (f"- {line}" for line in one.mends)
    yield ""


def test_the_texts_are_about_the_stages() -> None:
    """The texts have all stages, in the order of the chain."""
    assert (*STAGES,) == NAMES


def test_the_page_is_the_code() -> None:
    """Each stage has a heading, under which stands what it does and what mends it."""
    hold("docs/chain.md", "stages", _sections())
