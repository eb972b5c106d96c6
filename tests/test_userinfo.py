"""No error shows the user and password of a URL that somebody gave, whatever the URL is for."""

from collections.abc import Callable

import pytest

from mirrorlist.errors import OperatorError, OptionError
from mirrorlist.replay.sides import open_side
from mirrorlist.request.geo import NoGeo
from mirrorlist.status.watch_hook import parse_hook
from mirrorlist.web.listener import host_and_port
from snapshot.file.text import without_userinfo

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:s3cret@h:1/x", "http://***@h:1/x"),
        ("http://u:s3@cret@h", "http://***@h"),
        ("u:s3cret@h:1", "***@h:1"),
        ("u:s3cret://x@h:1", "u:s3cret://***@h:1"),
        ("s3@cret://x:1", "***@cret://x:1"),
        ("http://h/x", "http://h/x"),
        ("h:1", "h:1"),
        ("", ""),
    ],
)
def test_without_userinfo(text: str, shown: str) -> None:
    """All before the last @ is hidden, and a URL without one is shown as it is."""
    assert without_userinfo(text) == shown


TAKEN: dict[str, Callable[[str], object]] = {
    "hook": parse_hook,
    "watch-admin": lambda url: host_and_port(url, "--watch-admin"),
    "against": lambda url: open_side(url, NoGeo(), 5),
}


@pytest.mark.parametrize("scheme", ["http://", "https://", "ftp://", ""])
@pytest.mark.parametrize("option", TAKEN)
def test_no_password_in_errors(option: str, scheme: str) -> None:
    """Options that take an address refuse a user's name, or do without it, and show neither."""
    with pytest.raises((OptionError, OperatorError)) as caught:
        TAKEN[option](f"{scheme}u:{SECRET}@127.0.0.1:1/x")
    assert SECRET not in str(caught.value)
