"""The docs say what the code does: parameters, settings, error texts, exit codes, modules."""

import importlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mirrorlist.errors
import snapshot.file.errors
from mirrorlist import __version__
from mirrorlist.catalog.catalog import Catalog
from mirrorlist.cli import cli
from mirrorlist.request.query import PARAMETERS
from mirrorlist.rsync.filter import Held, RsyncFilter
from mirrorlist.rsync.query import FILTER_PARAMETERS, FORMS
from mirrorlist.settings.setting import Setting
from mirrorlist.settings.table import SETTINGS
from snapshot.file.reasons import Reason, opening, sentence
from tests.factories import export_tables, world
from tests.in_process import respond
from tests.pages import hold, table

ROOT = Path(__file__).parent.parent


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _pages() -> list[str]:
    paths = [path for glob in ("*.md", "docs/*.md", "contrib/**/*.md") for path in ROOT.glob(glob)]
    return sorted(path.relative_to(ROOT).as_posix() for path in paths)


def _settings_row(setting: Setting) -> list[str]:
    if setting.required:
        shown = "required"
    elif isinstance(setting.default, bool):
        shown = "on" if setting.default else "off"
    else:
        shown = "" if setting.default is None else f"`{setting.default}`"
    of = ", ".join(setting.commands)
    return [f"`{setting.flag}`", f"`{setting.variable}`", of, shown, setting.help]


def test_the_settings_table_is_the_code() -> None:
    """docs/operations.md shows every setting as the code has it."""
    heading = ["flag", "environment", "of", "default", ""]
    hold("docs/operations.md", "settings", table(heading, *map(_settings_row, SETTINGS)))


def test_the_table_of_reasons_is_the_code() -> None:
    """docs/protocol.md shows each code of `/explain`, and the sentence that goes with it."""
    rows = [[f"`{one}`", opening(one, "DE") + sentence(one, "...")] for one in Reason]
    hold("docs/protocol.md", "reasons", table(["code", "reason"], *rows))


@pytest.mark.parametrize("parameter", sorted(PARAMETERS))
def test_every_parameter_is_described(parameter: str) -> None:
    """docs/protocol.md names each query parameter in its table."""
    table = _read("docs/protocol.md").partition("## Parameters")[2].partition("\n- ")[0]
    assert f"`{parameter}`" in table


@pytest.mark.parametrize("parameter", FILTER_PARAMETERS)
def test_every_parameter_of_the_filter_is_described(parameter: str) -> None:
    """docs/protocol.md names each parameter of an rsync filter in its table."""
    section = _read("docs/protocol.md").partition("## What changed, for rsync")[2]
    assert f"\n| `{parameter}` | " in section.partition("\n## ")[0]


@pytest.mark.parametrize("form", FORMS)
def test_the_filter_is_described(tmp_path: Path, form: str) -> None:
    """docs/protocol.md names each header of an answer, both forms, and the text of its errors."""
    section = _read("docs/protocol.md").partition("## What changed, for rsync")[2]
    section = section.partition("\n## ")[0]
    assert f"**`form={form}`**" in section
    snapshot, _ = export_tables(tmp_path, world())
    query = f"categories=Linux&since=0&form={form}".encode()
    answer = RsyncFilter().answer(Catalog(snapshot), query, Held())
    assert answer.status == 200
    assert all(f"`{name}`" in section for name in answer.headers if name != "Content-Type")
    for row in (tables := world())["directory"]:
        row["ctime"] = 0
    snapshot, _ = export_tables(tmp_path, tables)
    answer = RsyncFilter().answer(Catalog(snapshot), query, Held())
    assert f"| {answer.status} | `{answer.body.decode().strip()}`" in section


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_every_subcommand_is_described(command: str) -> None:
    """README.md shows each subcommand."""
    assert re.search(rf"mirrorlist {command}\b", _read("README.md"))


def _exit_codes() -> Iterator[int]:
    for module in (mirrorlist.errors, snapshot.file.errors):
        for value in vars(module).values():
            if isinstance(value, type) and hasattr(value, "exit_code"):
                yield value.exit_code


@pytest.mark.parametrize("code", sorted({0, *_exit_codes()}))
def test_every_exit_code_is_described(code: int) -> None:
    """docs/operations.md and --help name each exit code."""
    assert f"\n| {code} | " in _read("docs/operations.md")
    named = re.search(r"Exit codes: ((?:.|\n)*)", cli.help or "")
    assert named
    assert str(code) in re.findall(r"(?:^|, )(\d+) [a-z]", named[1].replace("\n", " "))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        pytest.param("", "either path=, or repo= and arch= must be specified", id="nothing asked"),
        pytest.param("repo=old-39&arch=x86_64", "repo disabled", id="disabled"),
        pytest.param("repo=%00&arch=x86_64", "# repo=: a control character", id="control"),
        pytest.param("repo=x&arch=y", "error: invalid repo or arch", id="unknown repository"),
        pytest.param("path=nowhere", "error: invalid path", id="unknown path"),
        pytest.param(
            "path=pub/elsewhere", "is in no category: no host can carry it", id="no category"
        ),
    ],
)
def test_error_texts_are_described(tmp_path: Path, query: str, text: str) -> None:
    """The text of an error is the one that docs/protocol.md shows."""
    reader, _ = export_tables(tmp_path, world())
    assert text in respond(reader, f"/mirrorlist?{query}").body.decode()
    assert text in _read("docs/protocol.md")


_PACKAGES = ("mirrorlist", "snapshot", "loadtest")


def _contracts() -> list[dict[str, Any]]:
    found = tomllib.loads(_read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    return [contract for contract in found if contract["type"] == "layers"]


def _rooms() -> Iterator[str]:
    """Yield the rooms of each package, those above first, as the import contracts have them."""
    for package in _PACKAGES:
        for contract in _contracts():
            if contract["containers"] == [package]:
                layers = " | ".join(contract["layers"])
                yield from (f"{package}.{room.strip()}" for room in layers.split("|"))


def test_every_room_has_its_place() -> None:
    """ARCHITECTURE.md shows each room with the first sentence of its docstring."""
    rows = []
    for room in _rooms():
        module = importlib.import_module(room)
        path = room.replace(".", "/")
        name = f"`{path}/`" if hasattr(module, "__path__") else f"`{path}.py`"
        rows.append([name, " ".join((module.__doc__ or "").partition("\n\n")[0].split())])
    hold("ARCHITECTURE.md", "rooms", table(["room", "what lives there"], *rows))


def test_no_room_is_forgotten() -> None:
    """Each folder of a package with modules in it, and each module beside them, is a room."""
    paths = [path for package in _PACKAGES for path in (ROOT / package).iterdir()]
    found = {
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for path in paths
        if (path / "__init__.py").exists() or (path.suffix == ".py" and path.stem != "__init__")
    }
    assert found == {*_rooms()}


@pytest.mark.parametrize("name", re.findall(r"`([\w/.]+\.py)`", _read("ARCHITECTURE.md")))
def test_a_module_that_is_named_is_there(name: str) -> None:
    """Each module that ARCHITECTURE.md names exists."""
    assert list(ROOT.glob(name)) or any(
        path for package in _PACKAGES for path in (ROOT / package).rglob(name)
    )


def _tests_of(row: str) -> Iterator[tuple[str, str]]:
    """Yield the file and the name of each test in a row's last column; "" for a whole file."""
    file = ""
    for part in re.split(r"[,;]", row.strip(" |").rpartition("|")[2]):
        named = re.fullmatch(r"(tests/[\w/]+\.py)?(?:::)?(test_\w+)?", part.strip())
        assert named, f"not a test: {part.strip()}"
        file = named[1] or file
        yield file, named[2] or ""


def _rows_of_reviews() -> list[str]:
    section = _read("docs/threat-model.md").partition("## What reviews and field reports found")[2]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def test_every_row_of_the_reviews_has_its_test() -> None:
    """docs/threat-model.md has four columns for each finding, and its tests exist."""
    assert len(_rows_of_reviews()) > 50
    for row in _rows_of_reviews():
        assert row.count(" | ") == 3, row
        for file, name in _tests_of(row):
            assert (ROOT / file).is_file(), row
            assert re.search(rf"^(async )?def {name}\b", _read(file), re.MULTILINE), (file, name)


@pytest.mark.parametrize("page", _pages())
def test_make_targets_exist(page: str) -> None:
    """Each `make target` that a page tells to run is in the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", _read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b`", _read(page))) <= targets


def test_the_glossary_uses_names_of_the_code() -> None:
    """Each name that the glossary gives for the code stands in the code."""
    code = "".join(
        path.read_text(encoding="utf-8")
        for package in ("mirrorlist", "snapshot")
        for path in (ROOT / package).rglob("*.py")
    )
    rows = [line.split("|") for line in _read("docs/glossary.md").splitlines() if line[:1] == "|"]
    names = [name for row in rows[2:] for name in re.findall(r"`([\w.]+)`", row[3])]
    assert len(names) > 40
    assert [name for name in names if name.rpartition(".")[2] not in code] == []


def _texts() -> dict[str, str]:
    """Every page, and every module, whose help and errors people read, by name."""
    modules = [path for name in ("mirrorlist", "snapshot") for path in (ROOT / name).rglob("*.py")]
    contributed = [path for path in ROOT.glob("contrib/**/*") if path.is_file()]
    others = [ROOT / "Makefile", ROOT / "Containerfile", *contributed]
    return {name: _read(name) for name in _pages()} | {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in [*modules, *others]
    }


def test_nothing_is_installed_by_a_name() -> None:
    """No text says to install our name from an index, where anybody could take it."""
    wrong = re.compile(
        r"(pip|pipx|uv|dnf|apt|brew|docker|podman)\S* (tool )?(install|pull) '?mirrorlist"
    )
    assert [name for name, text in _texts().items() if wrong.search(text)] == []


def test_hosts_are_examples_or_exist() -> None:
    """A host in a URL is an example by its name, this machine, or a known site."""
    known = {"github.com", "maxmind.github.io", "protobuf.dev", "www.metalinker.org"}
    known |= {
        "fedorahosted.org",
        "datasketches.apache.org",
        "json-schema.org",
        "linux.duke.edu",
        "chromedevtools.github.io",
        "metalinker.org",
        "www.naturalearthdata.com",
    }
    known |= {"www.debian.org", "www.haproxy.org", "sqlite.org", "www.postgresql.org", "www.w3.org"}
    found = {
        host
        for text in _texts().values()
        for host in re.findall(r"https?://([a-z0-9-]+(?:\.[a-z0-9-]+)+)", text)
    }
    foreign = {host for host in found if not host.endswith((".example", ".example.org"))}
    assert {host for host in foreign if not host.replace(".", "").isdigit()} <= known


def test_a_port_means_one_thing() -> None:
    """3001 and 3002 are where health and status are, in every page, help text and example."""
    for name, text in _texts().items():
        for line in text.splitlines():
            if re.search(r"\b300[12]/", line):
                pages = "status|health|metrics|site|chain|packages"
                assert re.search(rf"300[12]/({pages})", line), (name, line)
            assert not re.search(r"--(port|against)[ =\"]\S*300[12]", line), (name, line)


def _changes() -> list[str]:
    return [line for line in _read("CHANGELOG.md").splitlines() if line.startswith(("- ", "  "))]


def test_the_version_is_one() -> None:
    """README and the changelog's newest dated version are the version of the code."""
    heads = re.findall(r"^## (.+)$", _read("CHANGELOG.md"), re.MULTILINE)
    assert heads[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(__version__)} - \d{{4}}-\d\d-\d\d", heads[1])
    assert re.findall(r"\b[Vv]ersion (\d+\.\d+\.\d+)", _read("README.md")) == [__version__]


def test_the_changelog_has_a_line_a_change() -> None:
    """A change is one line that fits a screen, and stands once."""
    changes = _changes()
    assert [line for line in changes if not re.fullmatch(r"- .{10,118}", line)] == []
    assert [line for line, count in Counter(changes).items() if count > 1] == []
