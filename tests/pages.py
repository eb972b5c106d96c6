"""Parts of pages that are made from the code: held by tests, written with UPDATE_DOCS=1."""

import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
"""A block of code in Markdown."""
_HEADING = re.compile(r"^#{1,6} (.*)$", re.MULTILINE)


def hold(page: str, name: str, lines: Iterable[str]) -> None:
    """Hold that a page has these lines between `<!-- name: .. -->` and `<!-- end of name -->`."""
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    begin = text.index("\n", text.index(f"<!-- {name}: ")) + 1
    end = text.index(f"<!-- end of {name} -->")
    written = "".join([text[:begin], *(f"{line}\n" for line in lines), text[end:]])
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(written, encoding="utf-8")
        return
    assert text == written, f"{page} does not say what the code says: make docs"


def table(*rows: Iterable[str]) -> Iterable[str]:
    """Yield the lines of a Markdown table, the first row of which is its heading."""
    first, *others = [list(row) for row in rows]
    for row in (first, ["---"] * len(first), *others):
        yield f"| {' | '.join(row)} |"


def anchors(text: str) -> Counter[str]:
    """Count the anchors that GitHub makes of a page's headings; a second one would get a number."""
    headings = _HEADING.findall(FENCED.sub("", text))
    return Counter(
        re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in headings
    )
