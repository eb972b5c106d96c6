"""What a client is told whose bytes cannot be taken for a request."""

from http import HTTPStatus

import httptools
import pytest

from mirrorlist.web.refusals import TEXTS, refusal


class _Answer:
    """What a client's parser makes of an answer."""

    def __init__(self, data: bytes) -> None:
        """Parse it."""
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.is_whole = False
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(data)
        self.status = parser.get_status_code()
        self.keep_alive = parser.should_keep_alive()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self.headers[name] = value

    def on_body(self, body: bytes) -> None:
        """Keep the body."""
        self.body += body

    def on_message_complete(self) -> None:
        """Note the end."""
        self.is_whole = True


@pytest.mark.parametrize("status", TEXTS)
def test_a_refusal(status: HTTPStatus) -> None:
    """A refusal is a whole answer with its reason as text, and says that it is the last."""
    answer = _Answer(refusal(status, TEXTS[status]))
    assert (answer.status, answer.body.decode()) == (status, TEXTS[status])
    assert answer.headers[b"content-type"] == b"text/plain"
    assert answer.is_whole
    assert not answer.keep_alive


def test_which_there_are() -> None:
    """Four statuses are answered without a request; docs/protocol.md#limits has the same."""
    assert {status.value for status in TEXTS} == {400, 408, 414, 431}
