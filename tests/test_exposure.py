"""Whom a server trusts by default, and how an operator is told of it and takes it back."""

from pathlib import Path

import pytest

from mirrorlist.cli.exposure import warning_of_default_trust
from snapshot.file.writer import encode
from tests.command import assert_refused, run
from tests.factories import export_tables, world
from tests.live import Server, exchange, request, serve
from tests.small_worlds import Mirror, small_data

PRIVATE = b"host6.example"
EXPLAIN = b"/explain?repo=linux-40&arch=x86_64"


@pytest.mark.parametrize(
    ("host", "given", "warns"),
    [
        pytest.param("127.0.0.1", (), False, id="loopback"),
        pytest.param("127.1.2.3", (), False, id="another loopback"),
        pytest.param("::1", (), False, id="loopback by IPv6"),
        pytest.param("[::1]", (), False, id="loopback in brackets"),
        pytest.param("localhost", (), False, id="localhost"),
        pytest.param("0.0.0.0", (), True, id="all"),
        pytest.param("::", (), True, id="all by IPv6"),
        pytest.param("192.0.2.1", (), True, id="a public address"),
        pytest.param("10.0.0.1", (), True, id="a private address"),
        pytest.param("mirrors.example", (), True, id="a name"),
        pytest.param("0.0.0.0", ("none",), False, id="nobody is trusted"),
        pytest.param("0.0.0.0", ("10.0.0.0/8",), False, id="proxies are named"),
    ],
)
def test_warning(host: str, given: tuple[str, ...], warns: bool) -> None:
    """An address that others reach is warned of unless the operator has said whom to trust."""
    found = warning_of_default_trust(["127.0.0.1", host], given)
    assert (found is not None) is warns
    if found:
        for word in (host, "--trusted-proxy", "none", "docs/operations.md"):
            assert word in found


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param('["none", "10.0.0.0/8"]', "stands alone", id="none beside a network"),
        pytest.param("[]", "not empty", id="an empty list, which would mean the default"),
    ],
)
def test_a_file_that_contradicts_itself(tmp_path: Path, given: str, words: str) -> None:
    """A settings file can say `none`; what would trust more than it says is refused."""
    (tmp_path / "mm.snap").write_bytes(encode(small_data((Mirror(),), {})))
    (tmp_path / "serve.toml").write_text(f"trusted_proxy = {given}\n")
    options = ("--snapshot", tmp_path / "mm.snap", "--port", "0")
    done = run("serve", "--config", tmp_path / "serve.toml", *options)
    assert_refused(done, 2, "trusted", words)


def test_none_in_the_environment(tmp_path: Path) -> None:
    """The environment can say `none`, and nothing beside it."""
    (tmp_path / "mm.snap").write_bytes(encode(small_data((Mirror(),), {})))
    options = ("--snapshot", tmp_path / "mm.snap", "--port", "0")
    done = run("serve", *options, MIRRORLIST_TRUSTED_PROXY="none 10.0.0.0/8")
    assert_refused(done, 2, "--trusted-proxy none: stands alone")


def explained(server: Server, *headers: bytes, more: bytes = b"") -> bytes:
    """Ask why a list is as it is."""
    return exchange(server.port, request(EXPLAIN + more, headers=headers)).body


@pytest.mark.parametrize("door", ["fast", "asgi"])
def test_only_who_names_nobody_is_ours(tmp_path: Path, door: str) -> None:
    """Loopback sees private hosts; behind any header that names another client nobody does."""
    export_tables(tmp_path, world())
    with serve(tmp_path / "mm.snap", tmp_path, "--door", door) as server:
        assert b'"id":6' in explained(server)
        for value in (b"junk", b"", b"unknown", b"_hidden", b"127.0.0.1", b"10.0.0.9, junk"):
            header = b"X-Forwarded-For: " + value
            assert b'"id":6' not in explained(server, header)
            assert b'"id":6' not in explained(server, header, more=b"&ip=192.0.2.5")
            target = b"/mirrorlist?repo=linux-40&arch=x86_64&ip=192.0.2.5"
            listed = exchange(server.port, request(target, headers=[header])).body
            assert PRIVATE not in listed
        for header in (b"X-Real-IP: 192.0.2.5", b"Via: 1.1 proxy", b"Forwarded: for=_hidden"):
            assert b'"id":6' not in explained(server, header)
            assert b'"id":6' not in explained(server, header, more=b"&ip=192.0.2.5")
        assert PRIVATE in exchange(server.port, request(target)).body


def test_none_on_a_server(tmp_path: Path) -> None:
    """With `none` not even loopback sees more, and its X-Forwarded-For moves nothing."""
    export_tables(tmp_path, world())
    with serve(tmp_path / "mm.snap", tmp_path, "--trusted-proxy", "none") as server:
        assert b'"id":6' not in explained(server)
        header = b"X-Forwarded-For: 192.0.2.5"
        found = explained(server, header, more=b"&ip=192.0.2.5")
        assert b'"id":6' not in found
        assert b'"address":"127.0.0.1"' in explained(server, header)
        assert "warning" not in server.output.read_text()
