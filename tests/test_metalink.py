"""The metalink document: its form, escaping, preferences, and errors as comments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mirrorlist.catalog.urls import path_below
from mirrorlist.lists.metalink import CONTENT_TYPE, head, render_error
from mirrorlist.lists.target import MOST_NAME_BYTES
from mirrorlist.request.client import Trust
from mirrorlist.request.query import Query, echo
from snapshot.file.model import FileDetail
from tests.contract_world import GERMAN, NOBODY
from tests.examples import examples
from tests.in_process import answered
from tests.metalink_document import Version, assert_preferences_fall, read_metalink
from tests.small_worlds import DIRECTORY, Mirror, catalog_of, small_data

PUBDATE = "Sat, 21 Nov 2026 01:02:03 GMT"
NEWEST = FileDetail(3000, 30, b"\x0a" * 16, b"\x1b" * 20, b"\x2c" * 32, b"\x3d" * 64)


def _sent(
    *details: FileDetail,
    file: str = "repomd.xml",
    mirrors: tuple[Mirror, ...] = (Mirror(),),
    address: str = NOBODY,
) -> bytes:
    """Return the document that a client gets of a file in `top/dir` of these mirrors."""
    data = replace(small_data(mirrors, {}), file_details={1: {file: details or (NEWEST,)}})
    query = Query(metalink=True, path=f"{DIRECTORY}/{file}")
    answer = answered(query, Trust().believe(address, [], ""), catalog_of(data))
    assert (answer.status, answer.content_type) == (200, CONTENT_TYPE)
    return answer.body


def test_whole_document() -> None:
    """A small document is what yum, dnf and zypper have read for years, byte for byte."""
    near = Mirror("", private=True, urls=("http://b.example/x",), netblocks=(f"{GERMAN}/32",))
    other = Mirror("DE", urls=("https://a.example", "rsync://a.example"))
    older = FileDetail(0, 0, b"", b"", b"\xab" * 32, b"")
    body = _sent(NEWEST, older, mirrors=(other, near), address=GERMAN)
    assert body.decode() == (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic"'
        ' pubdate="Fri, 15 Jan 2027 08:00:00 GMT" generator="mirrormanager"'
        ' xmlns:mm0="http://fedorahosted.org/mirrormanager">\n'
        " <files>\n"
        '  <file name="repomd.xml">\n'
        "   <mm0:timestamp>3000</mm0:timestamp>\n"
        "   <size>30</size>\n"
        "   <verification>\n"
        f'    <hash type="md5">{"0a" * 16}</hash>\n'
        f'    <hash type="sha1">{"1b" * 20}</hash>\n'
        f'    <hash type="sha256">{"2c" * 32}</hash>\n'
        f'    <hash type="sha512">{"3d" * 64}</hash>\n'
        "   </verification>\n"
        "   <mm0:alternates>\n"
        "    <mm0:alternate>\n"
        "      <verification>\n"
        f'       <hash type="sha256">{"ab" * 32}</hash>\n'
        "      </verification>\n"
        "    </mm0:alternate>\n"
        "   </mm0:alternates>\n"
        '   <resources maxconnections="1">\n'
        '    <url protocol="http" type="http" location="" preference="100" mm0:private="True">'
        "http://b.example/x/dir/repomd.xml</url>\n"
        '    <url protocol="https" type="https" location="DE" preference="99">'
        "https://a.example/dir/repomd.xml</url>\n"
        '    <url protocol="rsync" type="rsync" location="DE" preference="99">'
        "rsync://a.example/dir/repomd.xml</url>\n"
        "   </resources>\n"
        "  </file>\n"
        " </files>\n"
        "</metalink>\n"
    )


def test_versions() -> None:
    """The first version is the file's, the others are alternates in their order."""
    second = FileDetail(2000, 0, b"", b"", b"\x02" * 32, b"")
    third = FileDetail(0, 10, b"\x03" * 16, b"", b"", b"\x03" * 64)
    document = read_metalink(_sent(NEWEST, second, third))
    assert document.versions[1:] == (
        Version("2000", None, (("sha256", "02" * 32),)),
        Version(None, "10", (("md5", "03" * 16), ("sha512", "03" * 64))),
    )
    assert document.versions[0].timestamp == "3000"


@pytest.mark.parametrize(
    ("detail", "is_one"),
    [
        pytest.param(NEWEST, True, id="size and SHA-256"),
        pytest.param(replace(NEWEST, size=(1 << 31) - 1), True, id="as long as aria2 can count"),
        pytest.param(replace(NEWEST, size=1 << 31), False, id="a byte longer"),
        pytest.param(replace(NEWEST, size=0), False, id="no size"),
        pytest.param(replace(NEWEST, sha256=b""), False, id="no SHA-256"),
    ],
)
def test_pieces(detail: FileDetail, is_one: bool) -> None:
    """The newest version is one piece, after its hashes; older ones and repomd.xml have none."""
    one, older = read_metalink(_sent(detail, NEWEST, file="a.iso")).versions
    assert one.piece == (("sha256", "2c" * 32) if is_one else None)
    assert older.piece is None
    (metadata,) = read_metalink(_sent(detail)).versions
    assert metadata.piece is None


def test_no_hash_at_all() -> None:
    """A version of which nothing is known is still a well-formed document."""
    (version,) = read_metalink(_sent(FileDetail(0, 0, b"", b"", b"", b""))).versions
    assert version == Version(None, None, ())


def test_preferences() -> None:
    """100 for the first host, one less for each further one, never below 1; shared in a host."""
    mirrors = (Mirror(protocols=("http", "https")),) * 130
    links = read_metalink(_sent(mirrors=mirrors)).links
    assert_preferences_fall([link.url.partition("://")[2] for link in links], links)
    assert [link.preference for link in links][-2 * 31 :] == [1] * 2 * 31
    assert links[2 * 98].preference == 2


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a&b", id="ampersand"),
        pytest.param("a<b>c", id="angle brackets"),
        pytest.param("a\"b'c", id="both quotes"),
        pytest.param("a]]>b", id="the end of a CDATA section"),
        pytest.param("&amp;", id="an entity"),
        pytest.param("<!-- x -->", id="a comment"),
        pytest.param("é日\U0001f600", id="beyond ASCII"),
    ],
)
def test_escaping(text: str) -> None:
    """Markup in names, countries and URLs is text."""
    url = f"http://a.example/{text}".replace(" ", "")
    mirrors = (Mirror(country=text, urls=(url,)),)
    document = read_metalink(_sent(file=text.replace(" ", ""), mirrors=mirrors))
    assert document.name == text.replace(" ", "")
    assert document.links[0].location == text
    assert document.links[0].url == url + path_below("dir", text.replace(" ", "")).encoded


XML_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=30)
DIGESTS = st.just(b"") | st.binary(min_size=16, max_size=16)
FILES = XML_TEXT.filter(lambda text: "/" not in text and 0 < len(text.encode()) <= MOST_NAME_BYTES)


@examples(50)
@given(FILES, XML_TEXT, XML_TEXT, st.integers(0, 1 << 62), DIGESTS)
def test_any_text_is_well_formed(
    file: str, country: str, path: str, number: int, digest: bytes
) -> None:
    """Whatever text is in names and URLs, a parser gets it back as it was."""
    detail = FileDetail(number, number, digest, b"", b"", b"")
    mirrors = (Mirror(country=country, urls=("http://a.example/" + path,)),)
    document = read_metalink(_sent(detail, file=file, mirrors=mirrors))
    assert document.name == file
    assert document.links[0].location == country
    assert document.links[0].url == f"http://a.example/{path}" + path_below("dir", file).encoded
    assert document.versions[0].size == (str(number) if number else None)


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        pytest.param("repo disabled", "repo disabled", id="plain"),
        pytest.param("a\nb", "a\nb", id="two lines"),
        pytest.param("a--b", "a- -b", id="two hyphens"),
        pytest.param("---", "- - -", id="three hyphens"),
        pytest.param("a-", "a-", id="a hyphen at the end"),
        pytest.param("-->", "- ->", id="an end of a comment"),
        pytest.param("&<>", "&<>", id="markup is nothing in a comment"),
        pytest.param("", "", id="empty"),
        pytest.param("a\0b\x1bc", "a?b?c", id="control characters"),
        pytest.param("a\ufffeb\uffff", "a?b?", id="no characters of XML"),
    ],
)
def test_error(text: str, comment: str) -> None:
    """An error is a document without files that has the text in a comment."""
    body = render_error(head(PUBDATE), text)
    document = read_metalink(body)
    assert document.comment == comment
    assert (document.name, document.versions, document.links) == (None, (), ())
    assert body.decode().endswith(f"<!-- {comment}\n-->\n</metalink>\n")


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.text("-<>!", max_size=10))
def test_any_error_is_well_formed(text: str, marks: str) -> None:
    """Whatever text an error has, it is a comment that does not end early."""
    document = read_metalink(render_error(head(PUBDATE), text + marks))
    assert document.comment is not None
    assert "--" not in document.comment


@given(st.text(max_size=200))
def test_any_echo_is_well_formed(text: str) -> None:
    """Whatever a client sent, what is repeated of it stands in a comment."""
    body = render_error(head(PUBDATE), f"{echo(text)}\n{echo(text)}")
    assert read_metalink(body).comment is not None
