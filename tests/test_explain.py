"""Why these mirrors: each host is listed with its tier, or left out with a reason."""

from pathlib import Path
from random import Random

import msgspec
import pytest
from msgspec import structs

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.errors import Disabled, NotFound, QueryError, Unspecified
from mirrorlist.lists.answer import answer_plan
from mirrorlist.lists.explain import explain
from mirrorlist.lists.explanation import Explanation
from mirrorlist.lists.place import NOWHERE, locate
from mirrorlist.lists.plan import Plan
from mirrorlist.request.client import SIGNED, Trust
from mirrorlist.request.query import parse_query
from snapshot.file.model import Inactive
from snapshot.file.reasons import Reason, is_of_country
from tests.contract_world import AMERICAN, COUNTRIES, GERMAN, JAPANESE, NOBODY, contract_world
from tests.in_process import TableGeo
from tests.small_worlds import DIRECTORY, Mirror, small_catalog

NOW = 2_000_000_000.5
GEO = TableGeo(COUNTRIES)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The contract's catalog."""
    return Catalog(contract_world(tmp_path_factory.mktemp("explain")))


def _explain(
    catalog: Catalog, query: str, address: str = NOBODY, minimum: int = 5, metalink: bool = False
) -> Explanation:
    parsed = parse_query(query.encode(), metalink)
    client = Trust().believe(address, [], parsed.ip)
    # As `ask` does: who has the snapshot may see all of it.
    client = structs.replace(client, is_ours=True)
    place = locate(client, catalog, GEO)
    return explain(Plan(parsed, catalog, minimum), client, place, Random(1), NOW)


@pytest.mark.parametrize("lines", [[b"junk"], [b""], SIGNED])
def test_whoever_is_unknown_has_not_wished(catalog: Catalog, lines: list[bytes]) -> None:
    """What decided about the country is said; ip= only where there was one."""
    parsed = parse_query(b"path=pub/linux/near", False)
    client = Trust().believe("10.0.0.1", lines, "")
    place = locate(client, catalog, GEO)
    seen = explain(Plan(parsed, catalog, 5), client, place, Random(1), NOW).client
    assert (seen.source, seen.country_source) == ("unknown", "none")


QUERIES = [
    "path=pub/linux/near",
    "path=pub/linux/many&country=de",
    "path=pub/linux/allowed&protocol=https",
    "path=pub/linux/private",
    "path=pub/linux/schemes&redirect",
    "repo=epel-9&arch=x86_64",
    "path=pub/linux/limited&country=zz",
]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("address", [NOBODY, GERMAN, "20.30.40.50", "192.0.2.5", "21.0.0.9"])
def test_every_host_once(catalog: Catalog, query: str, address: str) -> None:
    """Listed and left out together are all hosts, none twice, each with a reason."""
    found = _explain(catalog, query, address)
    hosts = [host.id for host in found.hosts] + [host.id for host in found.excluded]
    assert sorted(hosts) == sorted(host.id for host in catalog.hosts)
    assert all(host.reason and "\n" not in host.reason for host in found.excluded)
    names = {host.id: host.name for host in catalog.hosts}
    assert all(names[host.id] == host.name for host in found.hosts)
    assert all(names[host.id] == host.name for host in found.excluded)


def test_json(catalog: Catalog) -> None:
    """The JSON has the fields that outside checks read, and no others."""
    found = _explain(catalog, "path=pub/linux/near/boot.iso", "192.0.2.5", metalink=True)
    plain = msgspec.json.decode(msgspec.json.encode(found))
    assert plain["snapshot"] == {"id": catalog.id, "age": 2_000_000_000 - catalog.read}
    assert plain["client"] == {
        "address": "192.0.2.5",
        "source": "peer",
        "country": "DE",
        "country_source": "table",
        "continent": "EU",
        "asn": 64500,
    }
    assert (plain["directory"], plain["file"]) == ("pub/linux/near", "boot.iso")
    assert plain["hosts"][0] == {
        "id": 6,
        "name": "host6.example",
        "tier": "netblock",
        "urls": [
            f"{protocol}://host6.example/linux/near/boot.iso"
            for protocol in ("http", "https", "rsync")
        ],
        "country": "DE",
    }
    assert list(plain) == ["snapshot", "client", "directory", "file", "hosts", "excluded"]
    assert {tuple(host) for host in plain["excluded"]} == {
        ("id", "name", "reason", "country", "code")
    }


def test_tiers_by_name(catalog: Catalog) -> None:
    """Each tier has the name that the docs use."""
    found = _explain(catalog, "path=pub/linux/near", "192.0.2.5")
    tiers = [(host.id, host.tier.value) for host in found.hosts]
    assert tiers[:2] == [(6, "netblock"), (1, "country")]
    assert {tier for _, tier in tiers} == {"netblock", "country", "continent", "global"}
    found = _explain(catalog, "path=pub/linux/near", "198.51.100.130")
    assert {host.id: host.tier for host in found.hosts}[15] == "ASN"
    found = _explain(catalog, "path=pub/linux/many&country=jp")
    assert [host.tier for host in found.hosts] == ["country asked"]
    found = _explain(catalog, "path=pub/linux/many&country=kr")
    assert [host.tier for host in found.hosts] == ["continent asked"]


def test_unknown_client(catalog: Catalog) -> None:
    """Of a client that nobody knows the country is N/A, the rest null."""
    client = _explain(catalog, "path=pub/linux/near").client
    assert (client.country, client.country_source) == ("N/A", "none")
    assert (client.continent, client.asn) == (None, None)


def test_netblock_country(catalog: Catalog) -> None:
    """A country of netblock_country is said to come from there."""
    client = _explain(catalog, "path=pub/linux/near", "203.0.113.10").client
    assert (client.country, client.country_source) == ("JP", "netblock_country")


def test_wish(catalog: Catalog) -> None:
    """An ip= is shown as the address, with its source."""
    client = _explain(catalog, f"path=pub/linux/near&ip={JAPANESE}", GERMAN).client
    assert (client.address, client.source, client.country) == (JAPANESE, "ip=", "JP")


@pytest.mark.parametrize(
    ("host", "query", "address", "code", "reason"),
    [
        pytest.param(7, "near", NOBODY, Reason.INACTIVE,
                     "inactive: switched off the host by its owner or the crawler", id="inactive"),
        pytest.param(33, "near", NOBODY, Reason.INACTIVE,
                     "inactive: switched off the site by an administrator", id="inactive site"),
        pytest.param(24, "near", NOBODY, Reason.NO_CATEGORY,
                     "does not carry the category Linux", id="category"),
        pytest.param(32, "near", NOBODY, Reason.NO_PUBLIC_URL,
                     "has no public URL for this category", id="no URL"),
        pytest.param(8, "many", NOBODY, Reason.NOT_UP_TO_DATE,
                     "not up to date in this directory", id="lagging"),
        pytest.param(2, "near", NOBODY, Reason.NOT_UP_TO_DATE,
                     "not up to date in this directory", id="not there"),
        pytest.param(9, "many", NOBODY, Reason.NO_FITTING_URL,
                     "has no URL with protocol https, http or ftp", id="of no text list"),
        pytest.param(22, "many&protocol=https,ftp", NOBODY, Reason.NO_FITTING_URL,
                     "has no URL with protocol https,ftp", id="no protocol asked for"),
        pytest.param(6, "near", NOBODY, Reason.PRIVATE,
                     "private: only for clients of its own netblocks and ASNs", id="private"),
        pytest.param(18, "allowed", GERMAN, Reason.OTHER_COUNTRIES,
                     "only for clients from JP", id="country allowed"),
        pytest.param(19, "allowed", JAPANESE, Reason.OTHER_COUNTRIES,
                     "only for clients from DE, FR", id="countries allowed"),
        pytest.param(3, "many&country=de", GERMAN, Reason.COUNTRY_NOT_ASKED,
                     "in FR, which was not asked for", id="not asked for"),
        pytest.param(5, "many&country=be", GERMAN, Reason.COUNTRY_NOT_ASKED,
                     ", which was not asked for", id="on another continent"),
        pytest.param(20, "world&country=jp", GERMAN, Reason.COUNTRY_NOT_ASKED,
                     "in no country, which was not asked for", id="no country, not asked for"),
        pytest.param(4, "five", GERMAN, Reason.ENOUGH_NEARER,
                     "so the global tier was not needed", id="not needed"),
    ],
)  # fmt: skip
def test_reasons(
    catalog: Catalog, host: int, query: str, address: str, code: Reason, reason: str
) -> None:
    """A host that is left out has the first rule that stops it, for people and for programs."""
    found = _explain(catalog, f"path=pub/linux/{query}", address)
    (excluded,) = [one for one in found.excluded if one.id == host]
    assert excluded.code is code
    assert reason in excluded.reason
    assert bool(excluded.country) is is_of_country(code)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        pytest.param(Inactive.HOST_ADMIN, "the host by an administrator", id="host, admin"),
        pytest.param(Inactive.SITE_USER, "the site by its owner", id="site, owner"),
        pytest.param(
            Inactive.HOST_USER | Inactive.SITE_ADMIN,
            "the host by its owner or the crawler and the site by an administrator",
            id="both",
        ),
    ],
)
def test_each_switch(flags: int, reason: str) -> None:
    """Each of the four switches that make a host inactive is named."""
    catalog = small_catalog(Mirror(), Mirror(inactive=flags))
    (excluded,) = _explain(catalog, f"path={DIRECTORY}").excluded
    assert excluded.reason == f"inactive: switched off {reason}"


@pytest.mark.parametrize(
    ("host", "query", "address", "words"),
    [
        pytest.param(21, "schemes&redirect&protocol=ftp", NOBODY, "http or https",
                     id="a redirect needs http or https"),
        pytest.param(1, "many&protocol=", NOBODY, "protocol=", id="no protocol named"),
        pytest.param(4, "five&country=aq", GERMAN, "global tier was not needed",
                     id="asked in vain, not needed"),
    ],
)  # fmt: skip
def test_reasons_of_rare_cases(
    catalog: Catalog, host: int, query: str, address: str, words: str
) -> None:
    """The reason is the rule that stopped the host in rare cases too."""
    found = _explain(catalog, f"path=pub/linux/{query}", address)
    assert words in {one.id: one.reason for one in found.excluded}[host]


@pytest.mark.parametrize(
    ("query", "metalink", "error"),
    [
        pytest.param("", False, Unspecified, id="nothing asked"),
        pytest.param("repo=old-39&arch=x86_64", False, Disabled, id="disabled"),
        pytest.param("path=x/y", False, NotFound, id="unknown path"),
        pytest.param("path=pub/linux/nobody", False, NotFound, id="nobody carries it"),
        pytest.param("path=pub/linux/many", True, NotFound, id="no file details"),
    ],
)
def test_errors(catalog: Catalog, query: str, metalink: bool, error: type[QueryError]) -> None:
    """Where the answer would be an error there is nothing to explain but that error."""
    with pytest.raises(error):
        _explain(catalog, query, metalink=metalink)


@pytest.mark.parametrize("query", QUERIES)
def test_like_the_answer(catalog: Catalog, query: str) -> None:
    """The hosts and URLs are those of the answer with the same chance."""
    parsed = parse_query(query.encode(), False)
    client = Trust().believe(AMERICAN, [], "")
    plan, place = Plan(parsed, catalog, 5), locate(client, catalog, GEO)
    urls = [url for host in explain(plan, client, place, Random(7), NOW).hosts for url in host.urls]
    sent = answer_plan(plan, client, place, None, Random(7), NOW)
    if parsed.redirect:
        assert sent.location == urls[0]
    else:
        assert sent.body.decode().splitlines()[1:] == urls


def test_age_is_never_negative(tmp_path: Path) -> None:
    """A snapshot from the future has the age 0."""
    catalog = small_catalog(Mirror())
    parsed = parse_query(f"path={DIRECTORY}".encode(), False)
    client = Trust().believe(NOBODY, [], "")
    plan = Plan(parsed, catalog, 5)
    assert explain(plan, client, NOWHERE, Random(1), 5.0).snapshot.age == 0
