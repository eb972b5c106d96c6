"""Every count is of hosts that the answer shows: no list is empty that could have a host."""

import re
from random import Random

import pytest
from hypothesis import given

from mirrorlist.lists.answer import Answer, answer_plan, answer_stored
from mirrorlist.lists.explain import explain
from mirrorlist.lists.orders import Orders
from mirrorlist.lists.plan import Plan, make_plan
from mirrorlist.lists.selection import Tier
from mirrorlist.lists.situation import Situation
from snapshot.file.reasons import Reason
from tests.examples import examples
from tests.in_process import NOW
from tests.situations import listable, situations, usable
from tests.small_worlds import Mirror, small_catalog, small_situation

ASKED = (Tier.COUNTRY_ASKED, Tier.CONTINENT_ASKED)


def _answers(situation: Situation) -> dict[str, Answer]:
    """The answer of each maker of lists, which are to agree on who is listed."""
    client, catalog = situation.client, situation.catalog
    found = {}
    orders = Orders()
    for name, kept in (("drawn", None), ("kept", orders), ("kept again", orders)):
        plan = make_plan(situation.query, catalog, situation.minimum, is_repeated=True)
        found[name] = answer_plan(plan, client, situation.place, kept, Random(1), NOW)
    return found


def _hosts(answer: Answer) -> set[int]:
    text = (answer.location or "") + answer.body.decode()
    return {int(number) - 1 for number in re.findall(r"://host(\d+)\.example/", text)}


def _could_be_shown(mirrors: list[Mirror], situation: Situation, country: str) -> set[int]:
    """The public hosts that may be in the list of a client from a country."""
    return {
        index
        for index, mirror in enumerate(mirrors)
        if mirror.offerable
        and not mirror.private
        and (not mirror.allowed or country in mirror.allowed)
        and listable(mirror, situation)
    }


@examples(100)
@given(situations())
def test_nobody_is_sent_away(world: tuple[list[Mirror], Situation]) -> None:
    """If any public host could be shown there is a list or a redirect; else a reason with 404."""
    mirrors, situation = world
    could = _could_be_shown(mirrors, situation, situation.place.country)
    is_redirect = situation.query.redirect and not situation.query.metalink
    for name, answer in _answers(situation).items():
        hosts = _hosts(answer)
        if could:
            assert answer.status == (302 if is_redirect else 200), name
            assert hosts, name
        elif not hosts:
            assert answer.status == 404, name
            assert re.search(rb"error: no (active )?host ", answer.body), name
        if not is_redirect and hosts and any(usable(mirrors[one], situation) for one in could):
            assert any(usable(mirrors[one], situation) for one in hosts), name
    stored = answer_stored(make_plan(situation.query, situation.catalog, 0), NOW)
    assert bool(_hosts(stored)) == bool(_could_be_shown(mirrors, situation, "N/A"))
    assert stored.status in ((200, 302) if _hosts(stored) else (404,))


@examples(100)
@given(situations())
def test_reasons_count_what_is_shown(world: tuple[list[Mirror], Situation]) -> None:
    """The hosts explained are those answered, and what is said of enough and found is true."""
    mirrors, situation = world
    query, client, catalog = situation.query, situation.client, situation.catalog
    plan = Plan(query, catalog, situation.minimum)
    found = explain(plan, client, situation.place, Random(1), NOW)
    listed = {host.id - 1: host.tier for host in found.hosts}
    counted = {one for one in listed if usable(mirrors[one], situation)}
    enough = max(1, situation.minimum)
    for excluded in found.excluded:
        if excluded.code is Reason.ENOUGH_NEARER:
            assert f"at least {enough} nearer" in excluded.reason
            assert len(counted) >= enough
        if excluded.code is Reason.COUNTRY_NOT_ASKED:
            assert {listed[one] for one in counted} & {*ASKED}
    if len(counted) < enough and not {listed[one] for one in counted} & {*ASKED}:
        assert _could_be_shown(mirrors, situation, situation.place.country) <= listed.keys()
    if not query.redirect or query.metalink:
        for name, answer in _answers(situation).items():
            assert _hosts(answer) == listed.keys(), name


NO_URL = "no host has a URL of top/dir with"
RSYNC_HERE = [Mirror("DE", protocols=("rsync",))] * 5
RSYNC_AND_US = [*RSYNC_HERE, *[Mirror("US")] * 3]


@pytest.mark.parametrize(
    ("mirrors", "query", "metalink", "shown"),
    [
        pytest.param(RSYNC_AND_US, "", False, {5, 6, 7}, id="text list"),
        pytest.param(RSYNC_AND_US, "protocol=https", False, {5, 6, 7}, id="protocol"),
        pytest.param(RSYNC_AND_US, "", True, {0, 1, 2, 3, 4, 5, 6, 7}, id="metalink"),
        pytest.param(RSYNC_AND_US, "protocol=rsync", True, {0, 1, 2, 3, 4}, id="rsync asked for"),
        pytest.param(RSYNC_AND_US, "country=de", False, {5, 6, 7}, id="country"),
        pytest.param(RSYNC_AND_US, "country=de", True, {*range(8)}, id="country, metalink"),
        pytest.param([Mirror("JP"), Mirror("US", protocols=("ftp",))], "country=jp&protocol=ftp",
                     False, {1}, id="MirrorManager's pull request 172"),
        pytest.param([Mirror("US", private=True), Mirror("CA")], "country=us", False, {1},
                     id="private hosts"),
        pytest.param([Mirror("US", allowed=("JP",)), Mirror("CA")], "country=us", False, {1},
                     id="barred hosts"),
    ],
)  # fmt: skip
def test_examples(mirrors: list[Mirror], query: str, metalink: bool, shown: set[int]) -> None:
    """Hosts that a list cannot show neither are found nor are enough."""
    situation = small_situation(small_catalog(*mirrors), query, country="DE", metalink=metalink)
    for name, answer in _answers(situation).items():
        assert _hosts(answer) == shown, name
    if not metalink:
        redirect = small_situation(situation.catalog, f"{query}&redirect=1", country="DE")
        for name, answer in _answers(redirect).items():
            is_ftp = "ftp" in query
            assert answer.status == (404 if is_ftp else 302), name
            assert is_ftp or _hosts(answer) <= shown


def test_a_redirect_takes_any_url_of_the_web() -> None:
    """What a redirect needs is looked for among all URLs of a host, not the first few."""
    mirror = Mirror("US", protocols=("rsync", "rsync", "https"))
    situation = small_situation(small_catalog(mirror), "protocol=rsync,https&redirect")
    for answer in _answers(situation).values():
        assert answer.location == "https://host1.example/top/dir/"


def test_at_least_one_whatever_the_minimum() -> None:
    """With --minimum 0 a client far from everybody gets the global tier all the same."""
    catalog = small_catalog(Mirror("US"), Mirror("DE"))
    for country, shown in (("JP", {0, 1}), ("DE", {1})):
        situation = small_situation(catalog, country=country, minimum=0)
        for answer in _answers(situation).values():
            assert _hosts(answer) == shown
        assert situation.place.country == country


@pytest.mark.parametrize(
    ("mirrors", "query", "metalink", "reason"),
    [
        pytest.param([Mirror()], "protocol=gopher", False,
                     f"{NO_URL} protocol gopher (protocol=)", id="protocol"),
        pytest.param([Mirror()], "protocol=", True,
                     f"{NO_URL} one of no protocols (protocol=)", id="none"),
        pytest.param(RSYNC_HERE, "", False,
                     f"{NO_URL} protocol https, http or ftp", id="rsync"),
        pytest.param(RSYNC_HERE, "redirect", False,
                     f"{NO_URL} protocol http or https, which a redirect needs", id="redirect"),
        pytest.param([Mirror(allowed=("JP",))], "", False,
                     "no host has top/dir for clients from DE", id="other countries"),
        pytest.param([Mirror(private=True)], "", False,
                     "no active host carries top/dir", id="private"),
    ],
)  # fmt: skip
def test_reasons_for_nothing(
    mirrors: list[Mirror], query: str, metalink: bool, reason: str
) -> None:
    """Where nobody anywhere has what is asked for, the answer says what nobody has."""
    situation = small_situation(small_catalog(*mirrors), query, country="DE", metalink=metalink)
    for answer in _answers(situation).values():
        assert answer.status == 404
        assert f"error: {reason}" in answer.body.decode()
        assert b"://" not in answer.body.replace(b"http://www.metalinker.org/", b"").replace(
            b"http://fedorahosted.org/mirrormanager", b""
        )
