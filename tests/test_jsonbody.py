"""JSON over HTTP has the same bytes as the JSON that commands print."""

from collections import Counter

import msgspec
import pytest

from mirrorlist.jsonbody import as_json
from mirrorlist.status.admin import json_reply
from mirrorlist.status.watch_state import LastError
from snapshot.file.reasons import Reason
from tests.status_world import EMPTY_WATCH, FULL_WATCH, empty_status, fresh_status, full_status


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(EMPTY_WATCH, id="empty watch"),
        pytest.param(FULL_WATCH, id="full watch"),
        pytest.param(empty_status(), id="empty status"),
        pytest.param(fresh_status(), id="fresh status"),
        pytest.param(full_status(), id="full status"),
        pytest.param({"reasons": list(Reason)}, id="enums"),
        pytest.param({"z": 1, "a": Counter(z=2, a=1)}, id="keys keep their order"),
        pytest.param([0.0, -0.0, 0.1, 1 / 3, 1e-7, 5e-324, 1e15, 1_795_000_000.25], id="floats"),
        pytest.param([float("nan"), float("inf"), None, True, ()], id="what has no number"),
        pytest.param([2**64 - 1, -(2**63)], id="large numbers"),
        pytest.param("".join(map(chr, range(0xD800))), id="text"),
    ],
)
def test_the_same_bytes(value: object) -> None:
    """Whatever is sent, msgspec, by which commands print, would write the same."""
    assert as_json(value) == msgspec.json.encode(value)


@pytest.mark.parametrize("value", [{1: 2}, "\udcff", object()], ids=["key", "text", "object"])
def test_what_has_no_json(value: object) -> None:
    """Something without a JSON is a TypeError."""
    with pytest.raises(TypeError):
        as_json(value)


def test_a_page() -> None:
    """A page is a line, with its status and its type; a name that is no text is escaped."""
    named = LastError("/srv/\udcff: away", None)
    assert json_reply(named).body == b'{"text":"/srv/\\\\udcff: away","at":null}\n'
    assert json_reply({"a": [named.text]}).body == b'{"a":["/srv/\\\\udcff: away"]}\n'
    assert json_reply({"a": 1}, 503) == (503, b'{"a":1}\n', "application/json", ())
