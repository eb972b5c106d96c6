"""The lines of the request log: MirrorManager's as its statistics read them, and JSON."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.records.logline import ADDRESSES, FORMATS, LogEntry, cut_text, make_line_maker
from mirrorlist.replay.log import requests_of
from mirrorlist.request.address import Address, parse_address
from mirrorlist.settings.table import SETTINGS

# 2026-11-21 23:59:59 UTC: already the next day in Europe, still the same in America.
LATE = 1795305599.9
IPV4, IPV6 = Address(4, 0xC0000201), Address(6, 0x20010DB8 << 96 | 1)
ENTRY = LogEntry(IPV4, "DE", "rawhide", "x86_64")
HOSTILE = LogEntry(IPV4, "DE", "a; ARCH: b\nIP: 1.1.1.1", 'x\x1b[31m"\\')
# MirrorManager's own pattern (mirrorlist_statistics.py) for a line.
STATISTICS = re.compile(
    r"^(IP: )((\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f:.]+)(; DATE: )(\d{4}-\d\d-\d\d)"
    r"(; COUNTRY: )([^;]+)(; REPO: )([^;]*)(; ARCH: )([^;]*)$"
)

addresses = st.ip_addresses().map(lambda found: parse_address(str(found)))
entries = st.builds(
    LogEntry, addresses, st.sampled_from(["DE", "N/A"]), st.text(max_size=200), st.text(max_size=9)
)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        pytest.param(
            ENTRY,
            "IP: 192.0.2.1; DATE: 2026-11-21; COUNTRY: DE; REPO: rawhide; ARCH: x86_64\n",
            id="plain",
        ),
        pytest.param(
            LogEntry(IPV6, "N/A", "rawhide", "source"),
            "IP: 2001:db8::1; DATE: 2026-11-21; COUNTRY: N/A; REPO: rawhide; ARCH: source\n",
            id="IPv6, unknown country",
        ),
        pytest.param(
            HOSTILE,
            "IP: 192.0.2.1; DATE: 2026-11-21; COUNTRY: DE; REPO: a??ARCH??b?IP??1.1.1.1;"
            " ARCH: x??31m??\n",
            id="hostile",
        ),
        pytest.param(
            LogEntry(IPV4, "DE", "r" * 129, ""),
            f"IP: 192.0.2.1; DATE: 2026-11-21; COUNTRY: DE; REPO: {'r' * 128}; ARCH: \n",
            id="long and empty",
        ),
    ],
)
def test_classic(entry: LogEntry, line: str) -> None:
    """A line says address, UTC date, country, repository and arch; hostile text is cut."""
    assert make_line_maker("classic", "full")(entry, LATE) == line


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        pytest.param(
            ENTRY,
            '{"time":"2026-11-21T23:59:59Z","address":"192.0.2.1","country":"DE",'
            '"repo":"rawhide","arch":"x86_64"}\n',
            id="plain",
        ),
        pytest.param(
            HOSTILE,
            '{"time":"2026-11-21T23:59:59Z","address":"192.0.2.1","country":"DE",'
            '"repo":"a??ARCH??b?IP??1.1.1.1","arch":"x??31m??"}\n',
            id="hostile",
        ),
    ],
)
def test_json(entry: LogEntry, line: str) -> None:
    """A line of JSON says the same, with the time to the second."""
    assert make_line_maker("json", "full")(entry, LATE) == line


@pytest.fixture(params=["Asia/Tokyo", "America/New_York", "UTC"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """A time zone that the process is in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        pytest.param(LATE, "2026-11-21T23:59:59Z", id="last second"),
        pytest.param(LATE + 0.2, "2026-11-22T00:00:00Z", id="first second"),
        pytest.param(0.0, "1970-01-01T00:00:00Z", id="epoch"),
    ],
)
def test_time_is_utc(zone: str, now: float, shown: str) -> None:
    """Date and time are UTC's, wherever the server is."""
    assert f"; DATE: {shown[:10]}; " in make_line_maker("classic", "full")(ENTRY, now)
    assert f'{{"time":"{shown}",' in make_line_maker("json", "full")(ENTRY, now)


@given(st.lists(st.floats(0, 4e9), max_size=5))
def test_any_order_of_times(times: list[float]) -> None:
    """A line has its own date and time, whatever lines came before and however a clock jumps."""
    classic, as_json = make_line_maker("classic", "full"), make_line_maker("json", "full")
    for now in times:
        moment = datetime.fromtimestamp(int(now), UTC)
        assert f"; DATE: {moment:%Y-%m-%d}; " in classic(ENTRY, now)
        assert datetime.fromisoformat(json.loads(as_json(ENTRY, now))["time"]) == moment


@given(entries)
def test_any_entry_is_one_line(entry: LogEntry) -> None:
    """Whatever a client wrote, an entry is one line of ASCII that the statistics can read."""
    for shown in ADDRESSES:
        line = make_line_maker("classic", shown)(entry, LATE)
        assert line.isascii()
        assert STATISTICS.fullmatch(line.removesuffix("\n"))
        # Source: docs/mirrormanager.md#statistics, which split a line by blanks.
        fields = line.split(" ")
        assert len(fields) == 10
        assert fields[3] == "2026-11-21;"
        assert fields[5] == f"{entry.country};"


@given(entries)
def test_any_entry_is_one_object(entry: LogEntry) -> None:
    """Whatever a client wrote, an entry is one line of ASCII that is one JSON object."""
    for shown in ADDRESSES:
        line = make_line_maker("json", shown)(entry, LATE)
        assert line.isascii()
        assert line.count("\n") == 1
        assert list(json.loads(line)) == [
            name for name in ("time", "address", "country", "repo", "arch")
            if name != "address" or shown != "none"
        ]  # fmt: skip


def test_a_strange_country_is_still_json() -> None:
    """A country of a strange GeoIP file is escaped."""
    line = make_line_maker("json", "full")(LogEntry(IPV4, 'a"b', "r", "a"), LATE)
    assert json.loads(line)["country"] == 'a"b'


@pytest.mark.parametrize(
    ("address", "cut"),
    [
        pytest.param("192.0.2.255", "192.0.2.0", id="IPv4"),
        pytest.param("255.255.255.255", "255.255.255.0", id="highest IPv4"),
        pytest.param("2001:db8:1:2:3:4:5:6", "2001:db8:1::", id="IPv6"),
        pytest.param("::1", "::", id="loopback"),
        pytest.param("2002:c000:2ff::1", "2002:c000:200::", id="6to4"),
        pytest.param("2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:4136::", id="Teredo"),
    ],
)
def test_cut(address: str, cut: str) -> None:
    """A cut address is its /24 or /48; of an IPv4 address within 6to4 the same 24 bits stay."""
    parsed = parse_address(address)
    assert parsed is not None
    assert cut_text(parsed) == cut


@pytest.mark.parametrize(
    ("shown", "address"), [("full", "192.0.2.1"), ("cut", "192.0.2.0"), ("none", "0.0.0.0")]
)
def test_addresses(shown: str, address: str) -> None:
    """Addresses are full, cut or none; a log of any kind can be replayed."""
    line = make_line_maker("classic", shown)(ENTRY, LATE)
    assert line.startswith(f"IP: {address}; DATE: ")
    (_, request), *_ = requests_of([line])
    assert request is not None
    assert (request.forwarded, request.query) == (address, "repo=rawhide&arch=x86_64")


def test_no_address_in_json() -> None:
    """Without addresses a line of JSON has no such field."""
    assert '"address"' not in make_line_maker("json", "none")(ENTRY, LATE)


@pytest.mark.parametrize(("name", "known"), [("log_format", FORMATS), ("log_addresses", ADDRESSES)])
def test_choices(name: str, known: tuple[str, ...]) -> None:
    """What the settings offer is what lines can be made of."""
    (setting,) = [one for one in SETTINGS if one.name == name]
    assert setting.choices == known
