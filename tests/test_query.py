"""The query string: what each parameter means, and what is refused."""

import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mirrorlist.errors import BadQuery
from mirrorlist.request.query import (
    MAX_ECHO,
    MAX_LIST_ELEMENTS,
    MAX_PATH_BYTES,
    MAX_VALUE_BYTES,
    PARAMETERS,
    Query,
    Wish,
    echo,
    parse_query,
    typed,
    unescaped,
)

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _query(**fields: object) -> Query:
    wish = {name: fields.pop(name) for name in Wish.__struct_fields__ if name in fields}
    return Query(metalink=False, wish=Wish(**wish), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(b"", _query(), id="nothing"),
        pytest.param(b"repo=r&arch=a", _query(repo="r", arch="a"), id="repo and arch"),
        pytest.param(b"arch=a&repo=r", _query(repo="r", arch="a"), id="any order"),
        pytest.param(b"path=a/b", _query(path="a/b"), id="path"),
        pytest.param(b"path", _query(path=""), id="present and empty"),
        pytest.param(b"path=a&path=b", _query(path="b"), id="last wins"),
        pytest.param(b"path=a&path", _query(path=""), id="last wins, empty"),
        pytest.param(b"path=a=b=c", _query(path="a"), id="up to the second equals sign"),
        pytest.param(b"path=a%3Db", _query(path="a=b"), id="an equals sign in a value"),
        pytest.param(b"path=a%26b", _query(path="a&b"), id="an ampersand in a value"),
        pytest.param(b"path=a+b%2Bc", _query(path="a+b+c"), id="plus stays plus"),
        pytest.param(b"path=%20%C3%A9", _query(path=" é"), id="decoded"),
        pytest.param(b"path=%2541", _query(path="%41"), id="decoded once"),
        pytest.param(b"path=a;b,c$d", _query(path="a;b,c$d"), id="no separators in a path"),
        pytest.param(b"PATH=a&Repo=b", _query(), id="names have a case"),
        pytest.param(b"p%61th=a", _query(), id="names are not decoded"),
        pytest.param(b"path=%00&path=a", _query(path="a"), id="an earlier one is not looked at"),
        pytest.param(b"x=%zz&\xff=\xff&y=%00", _query(), id="unknown ones are not looked at"),
        pytest.param(
            b"repo=a-source-b&arch=x86_64", _query(repo="a-source-b", arch="source"), id="source"
        ),
        pytest.param(b"repo=a-source", _query(repo="a-source"), id="source without arch"),
        pytest.param(
            b"repo=SOURCE&arch=a", _query(repo="SOURCE", arch="a"), id="source in capitals"
        ),
        pytest.param(b"country=de", _query(countries=("DE",)), id="country upper case"),
        pytest.param(
            b"country=us,DE,,Us,fr,", _query(countries=("DE", "FR", "US")), id="sorted and unique"
        ),
        pytest.param(b"country=", _query(), id="country empty"),
        pytest.param(b"country", _query(), id="country without equals sign"),
        pytest.param(b"country=,,", _query(), id="only commas"),
        pytest.param(b"country=global", _query(countries=("GLOBAL",)), id="global"),
        pytest.param(
            b"protocol=HTTPS,http,https",
            _query(protocols=frozenset(("http", "https")), protocol_text="HTTPS,http,https"),
            id="protocols",
        ),
        pytest.param(b"protocol=", _query(protocols=frozenset()), id="protocol empty"),
        pytest.param(b"protocol", _query(protocols=frozenset()), id="protocol without value"),
        pytest.param(b"ip=192.0.2.1", _query(ip="192.0.2.1"), id="ip"),
        pytest.param(b"ip=", _query(), id="ip empty"),
        pytest.param(b"netblock=1", _query(near=True), id="netblock=1"),
        pytest.param(b"netblock=%31", _query(near=True), id="netblock=1 encoded"),
        pytest.param(b"netblock=0", _query(near=False), id="netblock=0"),
        pytest.param(b"netblock=", _query(near=False), id="netblock empty"),
        pytest.param(b"netblock", _query(near=False), id="netblock without equals sign"),
        pytest.param(b"netblock=11", _query(near=False), id="netblock=11"),
        pytest.param(b"redirect", _query(redirect=True), id="redirect"),
        pytest.param(b"redirect=0", _query(redirect=True), id="redirect with any value"),
        pytest.param(b"time=", _query(time=True), id="time"),
    ],
)
def test_meaning(raw: bytes, expected: Query) -> None:
    """Each parameter means what the contract says, and nothing else changes."""
    assert parse_query(raw, False) == expected


def test_kind_of_list() -> None:
    """The kind of list comes from outside the query string."""
    assert parse_query(b"", True).metalink


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(b"repo=r&arch=a", True, id="both"),
        pytest.param(b"repo=&arch=", True, id="both empty"),
        pytest.param(b"repo=r&arch=a&path=p", True, id="beside a path"),
        pytest.param(b"repo=r", False, id="repo alone"),
        pytest.param(b"arch=a", False, id="arch alone"),
    ],
)
def test_has_repository(raw: bytes, expected: bool) -> None:
    """A query has a repository when repo and arch are both there, whatever else is."""
    assert parse_query(raw, False).has_repository is expected


ESCAPE = "a % that is not followed by two hexadecimal digits"


@pytest.mark.parametrize("name", sorted(PARAMETERS))
@pytest.mark.parametrize(
    ("value", "why"),
    [
        pytest.param(b"%0A", "a control character", id="line feed"),
        pytest.param(b"\x00", "a control character", id="raw NUL"),
        pytest.param(b"%7f", "a control character", id="DEL"),
        pytest.param(b"%C2%80", "a control character", id="C1"),
        pytest.param(b"%E2%80%A8", "a control character", id="line separator"),
        pytest.param(b"\xe2\x80\xa9", "a control character", id="raw paragraph separator"),
        pytest.param(b"%FF", "not valid UTF-8", id="bad UTF-8"),
        pytest.param(b"\xff", "not valid UTF-8", id="raw bad UTF-8"),
        pytest.param(b"%ED%A0%80", "not valid UTF-8", id="surrogate"),
        pytest.param(b"%", ESCAPE, id="percent sign alone"),
        pytest.param(b"%1", ESCAPE, id="one digit"),
        pytest.param(b"%1g", ESCAPE, id="no digit"),
        pytest.param(b"%%31", ESCAPE, id="percent sign twice"),
    ],
)
def test_refused_in_every_parameter(name: str, value: bytes, why: str) -> None:
    """What cannot be understood is refused by name, in whatever parameter it stands."""
    with pytest.raises(BadQuery) as error:
        parse_query(name.encode() + b"=a" + value, False)
    assert str(error.value) == f"# {name}=: {why}"
    assert error.value.status == 400


@pytest.mark.parametrize("name", sorted(PARAMETERS - {"path"}))
def test_limit_of_values(name: str) -> None:
    """A value may have 256 bytes once decoded, and not one more."""
    parse_query(name.encode() + b"=" + b"%31" * MAX_VALUE_BYTES, False)
    with pytest.raises(BadQuery, match=f"# {name}=: longer than 256 bytes"):
        parse_query(name.encode() + b"=" + b"1" * (MAX_VALUE_BYTES + 1), False)


def test_limit_of_path() -> None:
    """A path may have 2,048 bytes, and not one more."""
    assert parse_query(b"path=" + b"p" * MAX_PATH_BYTES, False).path == "p" * 2048
    with pytest.raises(BadQuery, match="# path=: longer than 2048 bytes"):
        parse_query(b"path=" + b"p" * (MAX_PATH_BYTES + 1), False)


@pytest.mark.parametrize("name", ["country", "protocol"])
def test_limit_of_lists(name: str) -> None:
    """A list may have 32 elements, repeats and empty ones counted, and not one more."""
    parse_query(name.encode() + b"=" + b"," * (MAX_LIST_ELEMENTS - 1), False)
    with pytest.raises(BadQuery, match=f"# {name}=: more than 32 elements"):
        parse_query(name.encode() + b"=" + b"," * MAX_LIST_ELEMENTS, False)


def _is_clean(text: str | None, limit: int) -> bool:
    return text is None or (not CONTROL.search(text) and len(text.encode()) <= limit)


def _parsed(raw: bytes, metalink: bool) -> Query | str:
    """The query, or the text of the refusal."""
    try:
        return parse_query(raw, metalink)
    except BadQuery as error:
        return str(error)


RAW = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.tuples(
            st.sampled_from([name.encode() for name in sorted(PARAMETERS)] + [b"countme", b""]),
            st.sampled_from([b"=", b"", b"=="]),
            st.one_of(
                st.binary(max_size=20),
                st.lists(st.sampled_from([b"%0A", b"%41", b"%", b",", b"de", b"1", b"%C3%A9"])).map(
                    b"".join
                ),
            ),
        ).map(b"".join),
        max_size=6,
    ).map(b"&".join),
)


@given(RAW)
@example(b"path=%&repo=%FF")
@example(b"repo=%FF&path=%")
@example(b"repo=a&path=%&repo=%FF")
def test_many_parameters_change_nothing(raw: bytes) -> None:
    """Beside dozens of unknown parameters, a query means the same or is refused alike."""
    assert _parsed(b"x=y&" * 40 + raw, False) == _parsed(raw, False)
    assert _parsed(raw + b"&x" * 40, False) == _parsed(raw, False)


@given(RAW, st.booleans())
@example(b"country=\xc3\x9f", False)
def test_any_bytes_are_a_query_or_refused(raw: bytes, metalink: bool) -> None:
    """Whatever stands in a query string gives a clean Query or a BadQuery, nothing else."""
    query = _parsed(raw, metalink)
    if not isinstance(query, Query):
        assert re.fullmatch(r"# [a-z]+=: [ -~]+", query)
        return
    for text in (query.repo, query.arch, query.ip, query.protocol_text):
        assert _is_clean(text, MAX_VALUE_BYTES)
    assert _is_clean(query.path, MAX_PATH_BYTES)
    assert list(query.wish.countries) == sorted(set(query.wish.countries))
    assert all(country and country == country.upper() for country in query.wish.countries)
    assert len(query.wish.countries) <= MAX_LIST_ELEMENTS
    assert query.wish.protocols is None or len(query.wish.protocols) <= MAX_LIST_ELEMENTS


@given(RAW)
def test_order_does_not_matter(raw: bytes) -> None:
    """Parameters of different names can stand in any order: zypper sorts them."""
    different = {parameter.partition(b"=")[0]: parameter for parameter in raw.split(b"&")}
    first = _parsed(b"&".join(different.values()), False)
    second = _parsed(b"&".join(reversed(different.values())), False)
    # Of two errors the first one met is named.
    assert first == second or (isinstance(first, str) and isinstance(second, str))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("aZ09._+,/@~^-", "aZ09._+,/@~^-", id="everything that is repeated"),
        pytest.param(" :;&<>\"'%$()[]{}|\\`?*=#!", "?" * 24, id="everything else in ASCII"),
        pytest.param("é€\U0001f600\ud800", "????", id="beyond ASCII"),
        pytest.param("\n\r\t\0\x7f", "?????", id="control characters"),
        pytest.param("x" * (MAX_ECHO + 1), "x" * 128, id="cut"),
        pytest.param("x" * MAX_ECHO, "x" * 128, id="at the limit"),
    ],
)
def test_echo(text: str, shown: str) -> None:
    """Of a client's text only harmless characters are repeated, and at most 128."""
    assert echo(text) == shown


def test_typed() -> None:
    """Statistics keep a variable that a client did not replace, and nothing of markup."""
    assert typed("epel-${releasever}") == "epel-${releasever}"
    assert typed("<b>'\"=%\u202e" + "x" * MAX_ECHO) == "?b??????" + "x" * (MAX_ECHO - 8)


_PIECES = ["&", "=", "repo", "arch", "path", "x", "repox", "a", "%41", "", "redirect", "time", "\n"]


@given(st.lists(st.sampled_from(_PIECES), max_size=14).map("".join))
def test_known_parameters_among_others(raw: str) -> None:
    """The last value of each known parameter counts, up to its second `=`."""
    expected: dict[str, bytes] = {}
    for parameter in raw.encode().split(b"&"):
        name, _, rest = parameter.partition(b"=")
        if name.decode() in PARAMETERS:
            expected[name.decode()] = rest.partition(b"=")[0]
    try:
        found = parse_query(raw.encode(), True)
    except BadQuery:
        assert any(b"\n" in value for value in expected.values())
        return
    for key in ("repo", "path"):
        assert getattr(found, key) == (
            unquote_to_bytes(expected[key]).decode() if key in expected else None
        )
    assert found.redirect is ("redirect" in expected)
    assert found.time is ("time" in expected)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=3), st.sampled_from([b"\\", b"\\x41", b"\\N{DASH}", b"%5C", b"%ff"])
        )
    )
)
def test_escapes_mean_what_they_mean_to_python(pieces: list[bytes]) -> None:
    """Also beside backslashes, which Python's string literals have a use for."""
    raw = re.sub(b"%(?![0-9A-Fa-f]{2})", b"%25", b"".join(pieces))
    assert unescaped(raw) == unquote_to_bytes(raw)
