"""What a repomd.xml says: its newest timestamp. Anything else than a repomd.xml is refused.

A web server may answer a page of its own with status 200, and a file may be half written. If the
sums of such a body were written, clients would refuse every mirror.
"""

from xml.parsers.expat import ExpatError, ParserCreate

_ROOT, _TIMESTAMP = "repomd", "timestamp"
# The last second of the year 9999: a later time is a mistake, and could not be reckoned with.
_LATEST = 253_402_300_799
# More of an element's text is not a number of seconds.
_MOST_DIGITS = 64


def newest_timestamp(body: bytes) -> int | None:
    """Return the largest <timestamp> of a repomd.xml; None without one. Raises ValueError."""
    reader = _Reader()
    parser = ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reader.begin, reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(body, True)
    # LookupError: the declaration names an encoding that does not exist.
    except (ExpatError, LookupError) as error:
        raise ValueError(f"not XML: {error}") from error
    return reader.newest


def _refuse_doctype(*_: object) -> None:
    # A document type can define entities, whose expansion may take any time.
    raise ValueError("not a repomd.xml: it has a document type")


class _Reader:
    """Takes what the parser finds."""

    def __init__(self) -> None:
        self.newest: int | None = None
        self._is_begun = self._is_inside = False
        self._text = ""

    def begin(self, name: str, _: object) -> None:
        local = name.rpartition(":")[2]
        if not self._is_begun and local != _ROOT:
            raise ValueError(f"not a repomd.xml: its root is <{local[:_MOST_DIGITS]}>")
        self._is_begun, self._is_inside, self._text = True, local == _TIMESTAMP, ""

    def text(self, data: str) -> None:
        if self._is_inside and len(self._text) <= _MOST_DIGITS:
            self._text += data[: _MOST_DIGITS + 1]

    def end(self, _: str) -> None:
        if self._is_inside and (found := _seconds(self._text)) is not None:
            self.newest = found if self.newest is None else max(self.newest, found)
        self._is_inside = False


def _seconds(text: str) -> int | None:
    """Return a time as a whole number; None for what is not a time."""
    text = text.strip()
    if len(text) > _MOST_DIGITS or not text.replace(".", "", 1).isdecimal():
        return None
    found = float(text)
    return int(found) if found <= _LATEST else None
