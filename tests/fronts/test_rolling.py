"""A rolling restart of two servers costs no request: by --drain, or by a front that asks again."""

from pathlib import Path

import pytest

from tests.fronts.conftest import LIST
from tests.fronts.front import Edit
from tests.fronts.kinds import HAPROXY, NGINX, Kind
from tests.fronts.rolling import Case, as_it_is, roll_under_load, without_retries
from tests.system import need_program

pytestmark = pytest.mark.system

METALINK = "/metalink?repo=linux-40&arch=x86_64"
# As haproxy's, but five times as often, so that a drain is shorter.
DRAIN, SECONDS = 1, 4


@pytest.mark.parametrize(
    ("kind", "edit", "drain"),
    [
        pytest.param(HAPROXY, as_it_is, DRAIN, id="haproxy"),
        pytest.param(HAPROXY, without_retries, DRAIN, id="haproxy that sends nothing twice"),
        pytest.param(NGINX, as_it_is, 0, id="nginx, which sees no drain"),
    ],
)
def test_no_request_fails(
    kind: Kind, edit: Edit, drain: float, tmp_path: Path, snapshots: list[Path]
) -> None:
    """Both servers are restarted while 16 clients ask, and no request fails."""
    need_program("wrk", "wrk")

    def often(text: str) -> str:
        return edit(text).replace("check inter 1s", "check inter 200ms")

    case = Case("a test", often, "https", drain, kind)
    requests = [f"{target} 192.0.2.1" for target in (LIST, METALINK)]
    found = roll_under_load(snapshots[0], tmp_path, case, requests, SECONDS)
    assert (found.load.refused, found.load.failed) == (0, 0)
    assert found.load.requests > 1000
