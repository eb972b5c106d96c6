"""URLs of hosts: one spelling for each, and none that no client could use."""

from pathlib import Path

import pytest

from snapshot.export.hosturl import host_url
from snapshot.file.model import LeftOut
from tests.factories import Row, edited, export_tables

Edit = tuple[str, int | None, Row]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://a.example/x/", "http://a.example/x"),
        ("HTTP://A.Example/X", "http://a.example/X"),
        (" \thttps://a.example/ ", "https://a.example"),
        ("http://a.example:80/x", "http://a.example/x"),
        ("https://a.example:443", "https://a.example"),
        ("https://a.example:0443/x", "https://a.example/x"),
        ("ftp://a.example:21/x", "ftp://a.example/x"),
        ("rsync://a.example:873/module", "rsync://a.example/module"),
        ("http://a.example:/x", "http://a.example/x"),
        ("http://a.example:443/x", "http://a.example:443/x"),
        ("http://a.example:65535/x", "http://a.example:65535/x"),
        ("http://[2001:DB8::1]:8080/x", "http://[2001:db8::1]:8080/x"),
        ("http://[2001:db8::1]/x", "http://[2001:db8::1]/x"),
        ("http://192.0.2.1/x", "http://192.0.2.1/x"),
        ("http://münchen.example/ä", "http://xn--mnchen-3ya.example/ä"),
        ("http://a.example//x///y//", "http://a.example//x///y"),
        ("http://a_b.example/x", "http://a_b.example/x"),
        ("http://a.example./x", "http://a.example./x"),
        ("http://a.example/x&<'y", "http://a.example/x&<'y"),
    ],
)
def test_one_spelling(text: str, url: str) -> None:
    """Scheme and host are in lower case and ASCII, a default port is not said; paths stay."""
    assert host_url(text) == url
    assert host_url(url) == url


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/srv/mirror", "without scheme or host"),
        ("file:///srv/mirror", "without scheme or host"),
        ("http:\\\\a.example", "without scheme or host"),
        ("file://localhost/srv/mirror", "URL of file, which no client of a list uses"),
        ("javascript://a.example/x", "URL of javascript"),
        ("htttp://a.example/x", "URL of htttp"),
        ("http://u:s3cret@a.example/x", "user's name or a password"),
        ("ftp://anonymous@a.example/x", "user's name or a password"),
        ("http://a.example/x?y=1", "with a query"),
        ("http://a.example?y", "with a query"),
        ("http://a.example/x#y", "with a fragment"),
        ("http://a.example/x\\y", "with a backslash"),
        ("http://a.example:0/x", "the port 0"),
        ("http://a.example:99999/x", "the port 99999"),
        ("http://a.example:65536", "the port 65536"),
        ("http://a.example:http/x", "the port http"),
        ("http://a.example:-1/x", "the port -1"),
        ("http://:80/x", "host is not one"),
        ("http://a,b.example/x", "host is not one"),
        ("http://*.example/x", "host is not one"),
        ("http://a..example/x", "host is not one"),
        ("http://-a.example/x", "host is not one"),
        ("http://[2001:db8::1/x", "host is not one"),
        ("http://[fe80::1%eth0]/x", "host is not one"),
        (f"http://{'ä' * 80}.example/x", "host is not one"),
        ("http://a.example/x y", "with a blank in it"),
        (None, "no URL"),
    ],
)
def test_refused(tmp_path: Path, text: str | None, reason: str) -> None:
    """What no client could use is left out with its reason, which shows no password."""
    with pytest.raises(ValueError, match=reason) as caught:
        host_url(text)
    assert "s3cret" not in str(caught.value)


def test_urls_that_stand_twice(tmp_path: Path) -> None:
    """Of one host a URL counts once, however it is spelled; of two hosts it is named."""
    edits: list[Edit] = [
        ("host_category_url", 111, {"url": "HTTP://HOST1.example:80/linux/"}),
        ("host_category_url", 210, {"url": "https://HOST3.example/linux"}),
        ("host_category_url", 710, {"url": "https://host4.example/linux/"}),
        ("host_category_url", 212, {"url": "https://u:s3cret@host2.example/linux"}),
    ]
    snapshot, result = export_tables(tmp_path, edited(*edits))
    assert result.left_out == (
        LeftOut("host_category_url", 111, "the same URL as an earlier one once cleaned"),
        LeftOut(
            "host_category_url",
            212,
            "URL with a user's name or a password, which everybody would read",
        ),
    )
    shared = [note for note in result.notes if "more than one host" in note]
    assert shared == [
        "1 URL stands at more than one host: https://host3.example/linux at hosts 2, 3"
    ]
    assert b"s3cret" not in Path(snapshot.path).read_bytes()
