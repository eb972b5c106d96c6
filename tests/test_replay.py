"""A site's own requests asked of two servers: what is a difference, and what is not."""

import json
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path

import msgspec
import pytest

from mirrorlist.lists.defaults import DEFAULT_MINIMUM
from mirrorlist.lists.explanation import Explanation
from mirrorlist.replay.adjusting import asn_not_listed, hosts_for_others
from mirrorlist.replay.compare import differences
from mirrorlist.replay.log import requests_of
from mirrorlist.replay.meaning import APART, Heading, Link, Meaning
from mirrorlist.replay.request import Request
from mirrorlist.replay.rewriting import believed_of, by_ipv4, without_near_tiers
from mirrorlist.replay.run import _paced
from mirrorlist.replay.sides import Describing, open_side
from mirrorlist.replay.tally import ADDRESS, without_addresses
from mirrorlist.request.client import MOST_ENTRIES
from mirrorlist.request.defaults import DEFAULT_TRUSTED
from mirrorlist.request.geo import NoGeo
from snapshot.file.reader import Snapshot
from tests.command import COMMAND, SECONDS, assert_refused, run
from tests.factories import Row, edited, export_tables, world
from tests.in_process import respond
from tests.live import serve, wait_until

STRANGER, NEIGHBOUR = "203.0.113.9", "192.0.2.7"
REPO = "repo=linux-40&arch=x86_64"
LOGGED = "IP: {}; DATE: 2026-11-21; COUNTRY: DE; REPO: linux-40; ARCH: x86_64"
LOGGED_TARGETS = (f"/metalink?{REPO}", f"/mirrorlist?{REPO}")
LINES = [
    *(LOGGED.format(address) for address in (STRANGER, NEIGHBOUR) for _ in range(8)),
    f"{STRANGER} /any/prefix/metalink?{REPO}&country=fr,us",
    f"{STRANGER} /mirrorlist?path=pub/linux/40/x86_64/os&redirect=1",
    f"{STRANGER} /mirrorlist?{REPO}&protocol=rsync",
    f"2001:db8::7 /mirrorlist?{REPO}&ip=2001:db8::8",
    f"{STRANGER} /mirrorlist?repo=nothing&arch=x86_64",
    f"{STRANGER} /mirrorlist?path=pub/nowhere/x",
    f"{STRANGER} /metalink",
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of requests of every kind, and a line that is not a request."""
    path = tmp_path / "requests.log"
    path.write_text("\n".join([*LINES, "junk", ""]))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small world's snapshot, plain/mm.snap."""
    folder = tmp_path_factory.mktemp("replay")
    export_tables(folder / "plain", world())
    return folder


def replay(
    log: Path, *against: object, code: int = 0, more: Sequence[str] = ()
) -> dict[str, object]:
    """Run the command at full speed and return its JSON."""
    sides = [word for one in against for word in ("--against", one)]
    done = run("replay", "--log", log, *sides, "--rate", "0", "--json", *more)
    assert done.returncode == code, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("line", "path", "query", "address"),
    [
        pytest.param(LOGGED.format("1.2.3.4"), "/metalink", REPO, "1.2.3.4", id="theirs"),
        pytest.param(
            "IP: ::1; DATE: d; COUNTRY: N/A; REPO: a&b c; ARCH: x; y",
            *("/metalink", "repo=a%26b%20c&arch=x;%20y", "::1"),
            id="odd names",
        ),
        pytest.param(
            f"2001:db8::1\t/p/mirrorlist?{REPO}&x",
            *("/p/mirrorlist", f"{REPO}&x", "2001:db8::1"),
            id="plain",
        ),
        pytest.param("1.2.3.4 /mirrorlist", "/mirrorlist", "", "1.2.3.4", id="without a query"),
    ],
)
def test_a_line(line: str, path: str, query: str, address: str) -> None:
    """Either form of a line is the request that it tells of."""
    assert list(requests_of([line + "\n"])) == [(1, Request("log", path, query, address))]


@pytest.mark.parametrize(
    "line",
    [
        *("", "junk", "1.2.3.4", "1.2.3.4 metalink", "1.2.3.4 /repositories", "x /metalink"),
        *("IP: 1.2.3.4; DATE: d; COUNTRY: DE; REPO: r", "1.2.3.4 /metalink?a b"),
    ],
)
def test_no_request(line: str) -> None:
    """A line that is not a list request is skipped, but counted."""
    assert list(requests_of([line])) == [(1, None)]


def test_both_kinds_in_turn() -> None:
    """Their log does not say which list it was: metalink and mirrorlist take turns."""
    lines = [LOGGED.format("1.2.3.4")] * 3
    paths = [request.path for _, request in requests_of(lines) if request]
    assert paths == ["/metalink", "/mirrorlist", "/metalink"]


def test_the_same_twice(folder: Path, log: Path) -> None:
    """Two of the same differ in nothing, although each answer has another order."""
    snapshot = folder / "plain" / "mm.snap"
    found = replay(log, snapshot, snapshot)
    assert found["requests"] == found["equal"] == len(LINES)
    assert (found["unexplained"], found["lines_skipped"], found["differences"]) == (0, 1, [])


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        pytest.param(("host", 4, {"country": "FR"}), {"links"}, id="country"),
        pytest.param(
            ("host_netblock", None, {"id": 9, "host_id": 3, "netblock": "203.0.113.0/24"}),
            {"tiers", "heading: netblock"},
            id="netblock",
        ),
        pytest.param(("host_category_url", 110, {"url": "http://x.example/"}), {"hosts"}, id="URL"),
        pytest.param(("host", 3, {"user_active": False}), {"hosts"}, id="inactive"),
        pytest.param(("repository", 1, {"prefix": "linux-99"}), {"status"}, id="repository"),
        pytest.param(("file_detail", 1, {"size": 77}), {"versions"}, id="size"),
    ],
)
def test_a_planted_difference(
    folder: Path, tmp_path: Path, log: Path, edit: tuple[str, int | None, Row], expected: set[str]
) -> None:
    """Each kind of difference in the data is found, named, and shown with its line."""
    export_tables(tmp_path / "other", edited(edit))
    found = replay(log, folder / "plain" / "mm.snap", tmp_path / "other" / "mm.snap", code=1)
    assert found["unexplained"]
    shown = found["differences"]
    assert isinstance(shown, list)
    named = {finding["what"] for one in shown for finding in one["findings"]}
    assert expected <= named, named
    for one in shown:
        *_, target = LINES[one["line"] - 1].split(" ")
        assert one["request"] in (target.replace("2001:db8::8", ADDRESS), *LOGGED_TARGETS)


def test_no_address_is_shown(folder: Path, tmp_path: Path, log: Path) -> None:
    """No report, as text or JSON, has an address of the log in it, however it is written."""
    with log.open("a") as lines:
        lines.write(f"{STRANGER} /mirrorlist?{REPO}&ip=junk%2Dhere\n2001:db8::7 /metalink?ip=::2\n")
    export_tables(tmp_path / "other", edited(("host", 3, {"country": "US"})))
    sides = ["--against", folder / "plain" / "mm.snap", "--against", tmp_path / "other" / "mm.snap"]
    for more in ([], ["--json"]):
        done = run("replay", "--log", log, *sides, "--rate", "0", *more)
        assert done.returncode == 1
        for address in (STRANGER, NEIGHBOUR, "2001:db8::7", "2001:db8::8", "junk%2Dhere", "::2"):
            assert address not in done.stdout + done.stderr
    assert "unexplained" in done.stdout


def test_addresses_are_taken_out() -> None:
    """The client's address and what `ip=` says are replaced in any text."""
    request = Request("log", "/metalink", "ip=2001%3Adb8::1&x=1", "192.0.2.1")
    text = "# ip=: not an address: 2001:db8::1 from 192.0.2.1, ip=2001%3Adb8::1"
    assert without_addresses(text, request) == (
        f"# ip=: not an address: {ADDRESS} from {ADDRESS}, ip={ADDRESS}"
    )


def test_a_server_and_a_snapshot(folder: Path, tmp_path: Path, log: Path) -> None:
    """A server of ours explains itself over HTTP, and differs from its snapshot in nothing."""
    snapshot = folder / "plain" / "mm.snap"
    with serve(snapshot, tmp_path) as server:
        url = f"http://127.0.0.1:{server.port}"
        assert replay(log, url, snapshot)["equal"] == len(LINES)
        assert replay(log, f"{url}/a/prefix", url)["equal"] == len(LINES)


class Stub(BaseHTTPRequestHandler):
    """A foreign server: it answers every list with one text, or not at all."""

    body: bytes = b""
    answers = 1 << 30
    is_ours = False

    def do_GET(self) -> None:
        """Answer, as long as there are answers left."""
        type(self).answers -= 1
        if type(self).answers < 0:
            self.close_connection = True
            return
        is_list = self.path.startswith(("/metalink?", "/mirrorlist?"))
        is_health = self.is_ours and self.path == "/health/ready"
        body = b'{"snapshot": {}}' if is_health else self.body
        self.send_response(200 if is_list or is_health else 404)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def stub() -> Iterator[tuple[type[Stub], str]]:
    """A stub's class, to set what it answers, and its URL."""
    handler = type("Handler", (Stub,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield handler, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_another_answer_is_unexplained(
    folder: Path, log: Path, stub: tuple[type[Stub], str]
) -> None:
    """A server that answers nonsense differs in every request; which side it is does not matter."""
    handler, url = stub
    handler.body = b"# repo = linux-40 arch = x86_64 country = DE \nhttps://a.example/\n"
    for sides in ([url, folder / "plain" / "mm.snap"], [folder / "plain" / "mm.snap", url]):
        found = replay(log, *sides, code=1)
        assert found["unexplained"] == len(LINES)
        shown = found["differences"]
        assert isinstance(shown, list)
        letter = "a" if sides[0] == url else "b"
        hosts = [one for one in shown[1]["findings"] if one["what"] == "hosts"]
        assert hosts[0][letter] == '["a.example"]'


def test_a_known_difference_is_theirs_alone(
    folder: Path, tmp_path: Path, stub: tuple[type[Stub], str]
) -> None:
    """A difference of mirrorlist-server is counted by kind, and not excused in our own server."""
    handler, url = stub
    log = tmp_path / "log"
    log.write_text(f"{STRANGER} /mirrorlist?repo=linux-40&arch=x86_64&country=NZ\n")
    snapshot = folder / "plain" / "mm.snap"
    own = respond(Snapshot(snapshot), f"/mirrorlist?{REPO}&country=NZ", forwarded=[b"192.0.2.9"])
    assert b"Using ASN" not in own.body
    handler.body = own.body.replace(b"x86_64 ", b"x86_64 Using ASN 64500 ", 1)
    for sides in ([url, snapshot], [snapshot, url]):
        found = replay(log, *sides)
        assert (found["unexplained"], found["known"]) == (0, {"`Using ASN N`": 1})
    handler.is_ours = True
    assert replay(log, url, snapshot, code=1)["unexplained"] == 1


def test_neither_explains_itself(log: Path, stub: tuple[type[Stub], str]) -> None:
    """Without a server of this project sets are compared, and it says that the order was not."""
    handler, url = stub
    handler.body = b"# repo = linux-40 arch = x86_64 country = DE \nhttps://a.example/\n"
    done = run("replay", "--log", log, "--against", url, "--against", url, "--rate", "0")
    assert done.returncode == 0, done.stderr
    assert "the order of hosts was not compared" in done.stderr


def test_a_server_that_goes_away(folder: Path, log: Path, stub: tuple[type[Stub], str]) -> None:
    """A server that answers no more ends the replay with one line."""
    handler, url = stub
    handler.answers = 3
    log.write_text("\n".join(LINES * 4))
    snapshot = folder / "plain" / "mm.snap"
    done = run("replay", "--log", log, "--against", url, "--against", snapshot, "--rate", "0")
    assert_refused(done, 1, url, "gives no answer any more")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["--against", "x"], 2, "--against must be given twice", id="one side"),
        pytest.param(["--against", "ftp://a", "--against", "b"], 2, "neither a", id="scheme"),
        pytest.param(
            ["--against", "localhost:3001", "--against", "b"], 2, "nor http://...", id="no scheme"
        ),
        pytest.param(["--against", "/no", "--against", "/no"], 3, "/no", id="no snapshot"),
        pytest.param(
            ["--against", "http://127.0.0.1:1", "--against", "b"], 1, "gives no answer", id="nobody"
        ),
    ],
)
def test_wrong_options(log: Path, arguments: list[str], code: int, words: str) -> None:
    """A side that cannot be asked is named in one line."""
    assert_refused(run("replay", "--log", log, *arguments), code, words)


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "No such file"), ("", "no line of the log is a request"), ("junk\n", "no line")],
)
def test_a_log_of_no_use(folder: Path, tmp_path: Path, text: str | None, words: str) -> None:
    """A log that is missing, empty or of another kind is refused."""
    if text is not None:
        (tmp_path / "log").write_text(text)
    side = ["--against", folder / "plain" / "mm.snap"] * 2
    assert_refused(run("replay", "--log", tmp_path / "log", *side), 2, words)


def test_so_many_requests(folder: Path, log: Path) -> None:
    """`--requests` ends a replay after this many requests."""
    snapshot = folder / "plain" / "mm.snap"
    assert replay(log, snapshot, snapshot, more=["--requests", "5"])["requests"] == 5


def test_a_log_that_grows(folder: Path, tmp_path: Path) -> None:
    """A log that the asked server writes itself ends where it ended at the start."""
    log = tmp_path / "own.log"
    log.write_text("\n".join(LOGGED.format(STRANGER) for _ in range(9)))
    snapshot = folder / "plain" / "mm.snap"
    with serve(snapshot, tmp_path, "--log", log) as server:
        found = replay(log, f"http://127.0.0.1:{server.port}", snapshot)
    assert found["requests"] == 9
    assert len(log.read_text().splitlines()) > 9


def test_interrupted(folder: Path, tmp_path: Path) -> None:
    """After Ctrl-C the results so far are shown."""
    log = tmp_path / "log"
    log.write_text("\n".join(LOGGED.format(STRANGER) for _ in range(1000)))
    seen = tmp_path / "seen"
    with serve(folder / "plain" / "mm.snap", tmp_path, "--log", seen) as server:
        side = ["--against", f"http://127.0.0.1:{server.port}"]
        # Whoever runs the tests in the background of a script has us ignore it, and our children.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(
            [*COMMAND, "replay", "--log", str(log), *side, *side, "--rate", "50", "--json"],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        signal.signal(signal.SIGINT, before)
        wait_until("it asks", lambda: seen.read_text().count("\n") > 4)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert 0 < json.loads(output)["requests"] < 1000


def test_the_table(folder: Path, log: Path) -> None:
    """For people it is a table on standard output."""
    snapshot = folder / "plain" / "mm.snap"
    done = run("replay", "--log", log, *["--against", snapshot] * 2, "--rate", "0")
    rows = {line[:29].strip(): line[29:].strip() for line in done.stdout.splitlines() if line}
    assert rows["equal"] == str(len(LINES))
    assert rows["unexplained"] == "0"
    assert rows["lines without a list request"] == "1"


def test_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two requests is the time that the rate says, and no burst follows a delay."""
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("time.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    request = Request("log", "/metalink", "")
    times = []
    for number, _ in _paced([(number, request) for number in range(6)], 10):
        times.append(round(clock[0], 6))
        if number == 2:
            clock[0] += 1.0
    assert times == [0.0, 0.1, 0.2, 1.2, 1.3, 1.4]


def drawn(order: str, **changes: object) -> Meaning:
    """Return what a list of hosts a to h in an order means, as one draw shows it."""
    links = {name: (Link(f"https://{name}/"),) for name in order}
    tiers = tuple(frozenset(name) for name in order)
    return Meaning(200, "text/plain", **{"links": links, "tiers": tiers, **changes})  # type: ignore[arg-type]


def described(*tiers: str, **changes: object) -> Meaning:
    """Return what the same list means to a side that knows its tiers."""
    return drawn("".join(tiers), tiers=tuple(map(frozenset, tiers)), **changes)


@pytest.mark.parametrize(
    ("order", "tiers", "found"),
    [
        pytest.param("abc", ["abc"], (), id="one tier"),
        pytest.param("cba", ["abc"], (), id="any order in it"),
        pytest.param("bacd", ["ab", "cd"], (), id="two tiers"),
        pytest.param("acbd", ["ab", "cd"], ("tiers",), id="mixed tiers"),
        pytest.param("cdab", ["ab", "cd"], ("tiers",), id="tiers in the other order"),
        pytest.param("ab", ["abc"], ("hosts",), id="one less"),
        pytest.param("abcd", ["abc"], ("hosts",), id="one more"),
        pytest.param("acb", ["ab", "bc"], (), id="a name in two tiers"),
    ],
)
def test_one_draw(order: str, tiers: list[str], found: tuple[str, ...]) -> None:
    """A draw may be in any order within a tier, and in no other order."""
    ours = described(*tiers)
    assert differences(drawn(order), ours, drawn=True) == found


def test_a_redirect() -> None:
    """A redirect may lead to any host of the first tier, and to no other."""
    ours = Meaning(302, "text/plain", redirects=frozenset(("https://a/", "https://b/")))
    for url, found in (("https://b/", ()), ("https://c/", ("redirects",))):
        theirs = Meaning(302, "text/plain", redirects=frozenset((url,)))
        assert differences(theirs, ours, drawn=True) == found


def test_two_hosts_of_one_name() -> None:
    """Hosts that share a name stand together or apart by chance; what they have is compared."""
    one, two = Link("https://a/1/"), Link("https://a/2/")
    ours = described("ab", links={"a": (one, two), "b": (Link("https://b/"),)})
    theirs = drawn("ab", links={"a": (two, one), "b": (Link("https://b/"),)}, unsteady=(APART,))
    assert differences(theirs, ours, drawn=True) == ()
    less = drawn("ab", links={"a": (two,), "b": (Link("https://b/"),)}, unsteady=(APART,))
    assert "links" in differences(less, ours, drawn=True)


REQUEST = Request("log", "/mirrorlist", REPO, STRANGER)


def heading(*countries: str, asn: str | None = None) -> Heading:
    """Return a heading that names countries, and an ASN."""
    return Heading("# repo = r arch = a ", False, asn, countries, None, False)


def test_hosts_for_other_countries() -> None:
    """As many hosts as ours left out for the client's country are taken out of theirs."""
    ours = described("ab", "c", for_other_countries=1, heading=heading("DE"))
    theirs = drawn("xabc", heading=heading("BE", "DE"))
    assert differences(hosts_for_others(REQUEST, theirs, ours), ours, drawn=True) == ()
    assert hosts_for_others(REQUEST, drawn("xyabc"), ours) == drawn("xyabc")
    mixed = hosts_for_others(REQUEST, drawn("xcab"), ours)
    assert differences(mixed, ours, drawn=True) == ("heading", "tiers")


def test_hosts_for_other_countries_are_counted(tmp_path: Path) -> None:
    """How many hosts are for other countries comes from the explanation's codes, as JSON too."""
    allowed = ("host_country_allowed", None, {"id": 1, "host_id": 2, "country": "de"})
    snapshot, _ = export_tables(tmp_path, edited(allowed))
    side = open_side(str(snapshot.path), NoGeo(), DEFAULT_MINIMUM)
    assert Describing(side).see(REQUEST, 1).for_other_countries == 1
    explanation = side.explain(REQUEST)
    assert msgspec.json.decode(msgspec.json.encode(explanation), type=Explanation) == explanation


def test_too_few_without_hosts_for_others() -> None:
    """Where those hosts were the fifth, ours goes on with the global tier."""
    ours = described("abcd", "efgh", for_other_countries=1, preferences=tuple(range(100, 92, -1)))
    theirs = drawn("axbcd", preferences=tuple(range(100, 95, -1)))
    assert differences(hosts_for_others(REQUEST, theirs, ours), ours, drawn=True) == ()
    enough = drawn("axbcdefg", preferences=tuple(range(100, 92, -1)))
    assert "hosts" in differences(hosts_for_others(REQUEST, enough, ours), ours, drawn=True)


def test_an_asn_that_is_not_listed() -> None:
    """An ASN goes from their heading if ours names none and the hosts are the same."""
    ours = described("abc", heading=heading("DE"))
    theirs = drawn("abc", heading=heading("DE", asn="64500"))
    assert differences(asn_not_listed(REQUEST, theirs, ours), ours, drawn=True) == ()
    other = drawn("abd", heading=heading("DE", asn="64500"))
    assert asn_not_listed(REQUEST, other, ours) == other
    named = described("abc", heading=heading("DE", asn="64501"))
    assert asn_not_listed(REQUEST, theirs, named) == theirs


@pytest.mark.parametrize("proxy", DEFAULT_TRUSTED)
def test_proxies_are_the_servers_own(proxy: str) -> None:
    """Behind each proxy that the server trusts by default, replay believes the same client."""
    address = str(ip_network(proxy)[-1])
    assert believed_of(f"198.51.100.1, {STRANGER}, {address}") == STRANGER


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        pytest.param("192.0.2.1", "192.0.2.1", id="alone"),
        pytest.param("::ffff:192.0.2.1", "::ffff:192.0.2.1", id="alone, as it is written"),
        pytest.param("192.0.2.1:80", "192.0.2.1", id="with a port"),
        pytest.param("[2001:db8::1]:80, 10.0.0.1", "2001:db8::1", id="in brackets"),
        pytest.param("192.0.2.1,, 10.0.0.1,", "192.0.2.1", id="empty elements"),
        pytest.param("192.0.2.1" + ", 10.0.0.1" * MOST_ENTRIES, None, id="too many proxies"),
        pytest.param("192.0.2.1, junk", None, id="junk"),
    ],
)
def test_believed_as_the_server_does(forwarded: str, expected: str | None) -> None:
    """What is believed of X-Forwarded-For is what the server itself believes of it."""
    assert believed_of(forwarded) == expected


@pytest.mark.parametrize(
    ("address", "query", "expected"),
    [
        ("::ffff:192.0.2.1", "a=b", ("a=b", "192.0.2.1")),
        ("2002:c000:201::5", "a=b", ("a=b", "192.0.2.1")),
        ("192.0.2.9", "ip=::ffff:192.0.2.1", ("ip=192.0.2.1", "192.0.2.9")),
        ("2001:db8::1", "a=b", None),
        ("192.0.2.9", "a=b", None),
        ("192.0.2.9", "ip=junk", None),
    ],
)
def test_the_address_within(address: str, query: str, expected: tuple[str, str] | None) -> None:
    """mirrorlist-server is asked for the IPv4 client that we see behind an IPv6 address."""
    found = by_ipv4(Request("log", "/metalink", query, address))
    assert (found and (found.request.query, found.request.forwarded)) == expected


@pytest.mark.parametrize(
    ("address", "query", "expected"),
    [
        (STRANGER, "ip=192.0.2.1", "ip=192.0.2.1&netblock=0"),
        (STRANGER, "ip=192.0.2.1&netblock=1", "ip=192.0.2.1&netblock=0"),
        (STRANGER, "a=b", None),
        ("10.0.0.1", "ip=192.0.2.1", "ip=192.0.2.1&netblock=0"),
        ("junk", "ip=192.0.2.1", "ip=192.0.2.1&netblock=0"),
        (None, "ip=192.0.2.1", None),
        (STRANGER, "ip=192.0.2.1&netblock=0", None),
    ],
)
def test_a_strangers_wish(address: str | None, query: str, expected: str | None) -> None:
    """mirrorlist-server is asked without the tiers that a stranger's `ip=` does not move."""
    found = without_near_tiers(Request("log", "/metalink", query, address))
    assert (found and found.request.query) == expected
