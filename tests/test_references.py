"""The sources that code, tests and docs name are in this repository: page, heading and words."""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.pages import FENCED, anchors

ROOT = Path(__file__).parent.parent
# Nothing here was written for people: environments, caches, what a program made or measured.
SKIPPED_FOLDERS = re.compile(r"\.(?!ci$|github$).*|__pycache__|.*\.egg-info|mirrorlist-demo|dist")
READ_SUFFIXES = {"", ".py", ".md", ".toml", ".yml", ".html", ".conf", ".service", ".timer"}

# What only looks like a page: a URL's end, the text of a link, and a name with a day to fill in.
_NO_NAME = re.compile(r"[a-z][a-z+.-]*://\S+|\[[^\]\n]*\](?=\()|\bDATE-\S+")
_PAGE = re.compile(r"(?<![\w./{}-])((?:[\w.-]+/)*[\w.-]*\w\.md)\b(?:#([\w-]+))?")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SOURCE = re.compile(r"\bSource(?: of [\w ]+)?: (.*)")
_SOURCE_THAT_STAYS = re.compile(r"docs/[\w-]+\.md\b|https?://|RFC \d")
# A quotation, in words that stand together; a shorter one is a word or the name of something.
_QUOTED = re.compile('"([^"]*)"')
_QUOTED_LENGTH = 25
_HEADING_NAMED = re.compile(r"docs/([\w-]+\.md)#([\w-]+)")
_OTHER_SOURCE = re.compile(r"https?://|RFC \d")
_LINK_TEXT = re.compile(r"\[([^\[\]]*)\]\([^()\s]*\)")
_NUMBER = re.compile(r"\b(?:sections?|items?)\s(?:[#*]\s*)?\d", re.IGNORECASE)


@cache
def _anchors_of(page: Path) -> Counter[str]:
    return anchors(page.read_text(encoding="utf-8"))


def _leads_nowhere(page: Path | None, anchor: str) -> str | None:
    if page is None:
        return "no such page"
    if anchor and _anchors_of(page)[anchor] != 1:
        return "that heading twice" if _anchors_of(page)[anchor] else "no such heading"
    return None


def wrong_names(text: str, folder: Path, root: Path) -> Iterator[str]:
    """Yield each `page.md` or `page.md#heading` in a text that is not there, and why.

    A page is looked for beside the file that names it, in the root, and in docs/.
    """
    # Most lines name no page, and neither a name nor what only looks like one spans two lines.
    lines = "\n".join(line for line in text.splitlines() if ".md" in line)
    for name, anchor in _PAGE.findall(_NO_NAME.sub("", lines)):
        places = [place / name for place in (folder, root, root / "docs")]
        why = _leads_nowhere(next((page for page in places if page.is_file()), None), anchor)
        if why:
            yield f"{name}{'#' if anchor else ''}{anchor}: {why}"


def wrong_links(text: str, page: Path) -> Iterator[str]:
    """Yield each relative link of a page that leads to no file or to no heading, and why."""
    for link in _LINK.findall(text):
        path, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        linked = page.parent / path if path else page
        why = _leads_nowhere(linked if linked.exists() else None, anchor)
        if why:
            yield f"{link}: {why}"


def passing_sources(text: str) -> Iterator[str]:
    """Yield each source that is not a page of docs/, a URL or an RFC, and each one by a number.

    A heading says what it is about; the number of a section or an item changes with the page.
    """
    yield from (found for found in _SOURCE.findall(text) if not _SOURCE_THAT_STAYS.match(found))
    if _NUMBER.search(text):
        lines = text.splitlines()
        yield from (line for line in lines if _NUMBER.search(line) and "RFC" not in line)


def explanations(source: str, module: ast.Module) -> Iterator[str]:
    """Yield each block of comment lines of a module, and each docstring, in one line."""
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1:
                yield " ".join(block)
                block = []
            block.append(token.string.lstrip("# "))
            last = token.start[0]
    yield " ".join(block)
    for node in ast.walk(module):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield " ".join(str(node.value.value).split())


def plain(text: str) -> str:
    """Return the words of a text: blanks, marks of code and emphasis, and links do not count."""
    return " ".join(re.sub("[`*]", "", _LINK_TEXT.sub(r"\1", text)).split())


def section(text: str, anchor: str) -> str:
    """Return a page's part under a heading, with the smaller headings below it."""
    unmarked = FENCED.sub(lambda code: code[0].replace("\n#", "\n #"), text)
    parts = re.split(r"^(#{1,6}) (.*)$", unmarked, flags=re.MULTILINE)
    found, depth = [], 0
    for marks, heading, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        if anchor in anchors(f"# {heading}"):
            depth = len(marks)
        elif len(marks) <= depth:
            depth = 0
        if depth:
            found.append(body)
    return "".join(found)


@cache
def _words_under(page: Path, anchor: str) -> str:
    return plain(section(page.read_text(encoding="utf-8"), anchor))


def wrong_quotations(source: str, docs: Path) -> Iterator[str]:
    """Yield each quotation in a module that does not stand under any heading named beside it.

    If its comment or docstring names no source, the headings in the module's docstring count.
    """
    if not _HEADING_NAMED.search(source):
        return
    module = ast.parse(source)
    of_module = _HEADING_NAMED.findall(ast.get_docstring(module) or "")
    for text in explanations(source, module):
        named = _HEADING_NAMED.findall(text)
        if not named and not _OTHER_SOURCE.search(text):
            named = of_module
        words = [_words_under(docs / page, anchor) for page, anchor in named]
        for quoted in _QUOTED.findall(text) if words else ():
            if len(quoted) >= _QUOTED_LENGTH and not any(_stands_in(quoted, one) for one in words):
                yield quoted


def _stands_in(quoted: str, words: str) -> bool:
    """Return whether a quotation's parts between `[...]` stand in a text, in this order."""
    at = 0
    for part in plain(quoted).rstrip(" .,;:").split("[...]"):
        at = words.find(part.strip(), at)
        if at < 0:
            return False
        at += len(part.strip())
    return True


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if not SKIPPED_FOLDERS.fullmatch(path.name):
                yield from _files(path)
        elif path.suffix in READ_SUFFIXES and path != Path(__file__):
            yield path


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


FILES = tuple(_files(ROOT))
PAGES = tuple(path for path in FILES if path.suffix == ".md")


def test_every_page_that_is_named_is_here() -> None:
    """Each page that a file names is in the repository, and has the heading that is named."""
    wrong = [
        f"{_name(path)}: {found}"
        for path in FILES
        for found in wrong_names(path.read_text(encoding="utf-8"), path.parent, ROOT)
    ]
    assert len(FILES) > 300
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Each relative link of a page leads to a file or a folder, and each anchor to a heading."""
    assert list(wrong_links(page.read_text(encoding="utf-8"), page)) == []


def test_every_source_can_be_read() -> None:
    """A source is a page of docs/, a URL or an RFC; a rule has a heading, and never a number."""
    passing = [
        f"{_name(path)}: {found}"
        for path in FILES
        if path.suffix == ".py"
        for found in passing_sources(path.read_text(encoding="utf-8"))
    ]
    assert not passing, "\n".join(passing)


def test_every_quotation_stands_on_its_page() -> None:
    """A quotation of a page has the words that stand there, under the heading that is named."""
    wrong = [
        f"{_name(path)}: {quoted}"
        for path in FILES
        if path.suffix == ".py"
        for quoted in wrong_quotations(path.read_text(encoding="utf-8"), ROOT / "docs")
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "page",
    [
        path
        for path in PAGES
        if path.is_relative_to(ROOT / "docs") or path.is_relative_to(ROOT / "contrib")
    ],
    ids=_name,
)
def test_every_page_is_in_the_table(page: Path) -> None:
    """README.md links each page of docs/ and of contrib/."""
    assert f"]({_name(page)})" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two pages, one of which has a heading twice."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "rules.md").write_text(
        "# Rules\n## What `a-b` & c means\n```\n# no heading\n```\n## Twice\n## Twice\n"
    )
    (tmp_path / "README.md").write_text("# Read me\n")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        pytest.param("see docs/rules.md.", [], id="a page"),
        pytest.param("see rules.md and README.md", [], id="bare names"),
        pytest.param("(docs/rules.md#rules)", [], id="a heading"),
        pytest.param("docs/rules.md#what-a-b--c-means, here", [], id="a heading with marks"),
        pytest.param("https://example.org/other.md file:///x/other.md", [], id="URLs"),
        pytest.param("[other.md](docs/rules.md#rules)", [], id="a link's text"),
        pytest.param('f"{name}.md" DATE-server.md', [], id="names to fill in"),
        pytest.param("# other.md section 6", ["other.md: no such page"], id="no page"),
        pytest.param("docs/README.md", ["docs/README.md: no such page"], id="another folder"),
        pytest.param(
            "docs/rules.md#rule", ["docs/rules.md#rule: no such heading"], id="no heading"
        ),
        pytest.param(
            "rules.md#no-heading", ["rules.md#no-heading: no such heading"], id="in a code block"
        ),
        pytest.param(
            "rules.md#twice", ["rules.md#twice: that heading twice"], id="one of two headings"
        ),
    ],
)
def test_wrong_names(repository: Path, text: str, wrong: list[str]) -> None:
    """A page or heading that is not there is found wherever it is named."""
    assert list(wrong_names(text, repository / "code", repository)) == wrong


@pytest.mark.parametrize(
    ("link", "wrong"),
    [
        pytest.param("docs/rules.md#rules", [], id="a heading"),
        pytest.param("#read-me", [], id="a heading of the page itself"),
        pytest.param("docs", [], id="a folder"),
        pytest.param("https://example.org/x#y", [], id="a URL"),
        pytest.param("rules.md", ["rules.md: no such page"], id="not beside the page"),
        pytest.param("#rules", ["#rules: no such heading"], id="a heading of another page"),
    ],
)
def test_wrong_links(repository: Path, link: str, wrong: list[str]) -> None:
    """A link is followed as GitHub does, from the page that it is in."""
    assert list(wrong_links(f"see [it]({link}).", repository / "README.md")) == wrong


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param("Source: docs/rules.md#rules.", 0, id="a page"),
        pytest.param("Source of the limits: docs/rules.md#rules.", 0, id="a page, for a part"),
        pytest.param("# Source: https://example.org/", 0, id="a URL"),
        pytest.param("RFC 9110 section 13.2.2", 0, id="an RFC"),
        pytest.param("Source: somebody's notes.txt.", 1, id="a file elsewhere"),
        pytest.param("the list in section 6", 1, id="a section by number"),
        pytest.param("sections 2 and 6, items 3 and 13", 1, id="items by number"),
    ],
)
def test_passing_sources(text: str, count: int) -> None:
    """A source that will not stay where it is, is found."""
    assert len(list(passing_sources(text))) == count


_RULES = """# Rules
What is said first, of all the rules.
## Small ones
A [small `rule`](other.md#x) holds for *all* clients,
and for `a*b` too. It has an exception.
```
# no heading
```
This is still about the small ones.
## Others
Nothing is said about the other rules.
"""
_LATER = "A later rule, which a page has not"


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        pytest.param(
            '# "A small rule holds for all\n# clients, and for `a*b`" (docs/rules.md#small-ones)',
            [],
            id="in a comment",
        ),
        pytest.param(
            '"""A.\n\ndocs/rules.md#small-ones: "This is still about\nthe small ones".\n"""',
            [],
            id="in a docstring",
        ),
        pytest.param(
            '# "A small rule [...] has an exception" (docs/rules.md#rules)', [], id="words left out"
        ),
        pytest.param(
            '# "It has an exception [...] a small rule" (docs/rules.md#rules)',
            ["It has an exception [...] a small rule"],
            id="in another order",
        ),
        pytest.param(
            '# "Nothing is said about the other rules" (docs/rules.md#small-ones)',
            ["Nothing is said about the other rules"],
            id="under another heading",
        ),
        pytest.param(
            f'# a "short" one, "{_LATER}", docs/rules.md#rules', [_LATER], id="beside a short one"
        ),
        pytest.param(
            f'"""A.\n\nSource: docs/rules.md#rules.\n"""\n# "{_LATER}"',
            [_LATER],
            id="by the module's source",
        ),
        pytest.param(
            f'"""A.\n\nSource: docs/rules.md#rules.\n"""\n# RFC 9110: "{_LATER}"',
            [],
            id="of an RFC",
        ),
        pytest.param(f'x = "{_LATER}"  # docs/rules.md#rules', [], id="not in a comment"),
        pytest.param('# "24 characters: too short" (docs/rules.md#rules)', [], id="too short"),
        pytest.param(
            '# "25 characters: not short." (docs/rules.md#rules)',
            ["25 characters: not short."],
            id="long enough",
        ),
    ],
)
def test_wrong_quotations(tmp_path: Path, source: str, wrong: list[str]) -> None:
    """A quotation in other words than those under the heading that is named is found."""
    (tmp_path / "rules.md").write_text(_RULES)
    assert list(wrong_quotations(source, tmp_path)) == wrong
