"""The query string of an rsync filter: bytes in, a frozen FilterQuery or a BadQuery out.

Source: docs/protocol.md#what-changed-for-rsync. Values are decoded as those of a list, and unknown
parameters are passed over.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

from mirrorlist.errors import BadQuery
from mirrorlist.request.commas import elements
from mirrorlist.request.query import (
    FORM_BLANK,
    MAX_ECHO,
    MAX_LIST_ELEMENTS,
    MAX_PATH_BYTES,
    decode,
    echo,
    list_of,
    spelling,
)
from snapshot.file.model import Category

FILTER_PARAMETERS = ("categories", "since", "stripprefix", "form", "select", "noise")
_NAMES = {name.encode(): name for name in FILTER_PARAMETERS}
FORMS = ("classic", "files")
NEWEST = "newest"
"""The value of `select` that is not a glob: of each package the newest version alone."""
# 19 digits last until the year 292,277,026,596.
_SECONDS = re.compile("[0-9]{1,19}")
_MOST_SHOWN = 20


class FilterQuery(Struct, frozen=True):
    """Which changes a mirror asks for, and how they are listed.

    `categories` are indexes, `since` is in seconds since 1970, `prefix` has no outer slashes;
    without globs in `select` all directories count. With `newest`, older packages do not.
    """

    categories: tuple[int, ...]
    since: int
    prefix: str
    form: str
    select: tuple[str, ...]
    noise: bool
    newest: bool = False


def parse_filter_query(raw: bytes, categories: Sequence[Category]) -> FilterQuery:
    """Return the query of a raw query string; raises BadQuery."""
    values, select = _values(raw)
    form = values.get("form") or FORMS[0]
    if form not in FORMS:
        raise BadQuery(f"# form=: not one of {', '.join(FORMS)}")
    if len(select) > MAX_LIST_ELEMENTS:
        raise BadQuery(f"# select=: more than {MAX_LIST_ELEMENTS} of them")
    newest = NEWEST in select
    if newest and form != "files":
        raise BadQuery(f"# select={NEWEST}: only with form=files")
    return FilterQuery(
        categories=_indexes(values.get("categories", ""), categories),
        since=_seconds(values.get("since", "")),
        prefix=_tidy(values.get("stripprefix", "")),
        form=form,
        # A directory of this name is `[n]ewest`.
        select=tuple(sorted({_tidy(glob) for glob in select if glob != NEWEST} - {""})),
        noise=values.get("noise") == "1",
        newest=newest,
    )


def asked_form(raw: bytes) -> str:
    """Return the form of a query, even if it has mistakes; the classic one if it names no form."""
    return "files" if b"form=files" in raw.split(b"&") else "classic"


def _values(raw: bytes) -> tuple[dict[str, str], list[str]]:
    values: dict[str, str] = {}
    select = []
    for parameter in raw.split(b"&"):
        key, _, value = parameter.partition(b"=")
        name = _NAMES.get(key)
        if name is not None:
            # "The last value of a repeated parameter wins, except for `select`."
            values[name] = decode(name, value, MAX_PATH_BYTES)
            if name == "select":
                select.append(values[name])
    return values, select


def _tidy(path: str) -> str:
    """Return a path without outer slashes and runs of slashes."""
    return "/".join(part for part in path.split("/") if part)


def _seconds(text: str) -> int:
    if not text:
        raise BadQuery(
            "# since=: missing: seconds since 1970, such as the last X-Mirrorlist-Cursor"
        )
    if not _SECONDS.fullmatch(text):
        raise BadQuery("# since=: not a number of seconds since 1970")
    return int(text)


def _indexes(text: str, categories: Sequence[Category]) -> tuple[int, ...]:
    known = {category.name: index for index, category in enumerate(categories)}
    # "a blank may be `%20` or `+`": but a plus sign may also belong to the name, as in C++.
    names = list_of("categories", text, "")
    if not names:
        raise BadQuery(f"# categories=: missing: names with commas between; {_known(categories)}")
    found = set()
    for name in names:
        index = known.get(name, known.get(name.replace(FORM_BLANK, " ").strip()))
        if index is None:
            raise BadQuery(f"# categories=: no category {echo(name)}; {_known(categories)}")
        found.add(index)
    return tuple(sorted(found))


def _known(categories: Sequence[Category]) -> str:
    # A name with a comma or outer blanks cannot be asked for; the others are spelt as in a URL.
    askable = [one.name for one in categories if elements(one.name) == [one.name]]
    names = [spelling(name) for name in askable[:_MOST_SHOWN] if len(name) <= MAX_ECHO]
    more = ", ..." if len(askable) > _MOST_SHOWN else ""
    return f"there are {', '.join(names)}{more}" if names else "there are none"
