"""Lists of others that are made to break an import, a file or a terminal."""

import tomllib
from pathlib import Path

import pytest

from snapshot.file.errors import BackendError, DataFileError, OutputError
from snapshot.sites.imports.almalinux import read_almalinux
from snapshot.sites.imports.cleaning import Places
from snapshot.sites.imports.draft import Notes, RepositoryDraft
from snapshot.sites.imports.plain import read_plain
from snapshot.sites.imports.writing import Imported, write_site
from snapshot.sites.load import load
from snapshot.sites.starter import Starter, write_starter

CONFIG = """\
versions: ["9"]
arches: {"9": [x86_64]}
repos: [{name: baseos, path: BaseOS/$basearch/os}]
"""


def _places() -> Places:
    places = Places(dns=False)
    places.give("DE")
    return places


def _alma(folder: Path, mirror: str, config: str = CONFIG, name: str = "Alma") -> Imported:
    (folder / "mirrors.d").mkdir()
    (folder / "config.yml").write_text(config)
    (folder / "mirrors.d" / "a.yml").write_text(mirror)
    notes = Notes()
    site = read_almalinux(folder, name, _places(), notes)
    (folder / "out").mkdir()
    command = "mirrorlist sites import\nprivate = true"
    return write_site(site, notes, folder / "out" / "m.toml", command, None, None)


ADDRESS = "address: {https: https://a.example/}\n"


def test_hostile_words(tmp_path: Path) -> None:
    """Control characters and broken UTF-8 reach neither a file nor what is printed."""
    text = (
        f'name: "a\\ud800"\n{ADDRESS}asn: "{"9" * 5000}"\n"k\\e[31m": "v\\x07"\nsponsor: "\\x7f"\n'
    )
    with pytest.raises(DataFileError, match="no mirror can be used: `sponsor` has a control"):
        _alma(tmp_path, text)
    (tmp_path / "two").mkdir()
    found = _alma(tmp_path / "two", text.replace("\\x7f", "x"))
    said = [value for one in found.left_out for value in (one.field, one.value, one.why)]
    assert "k?[31m" in said
    assert all(one.isprintable() for one in said)
    assert [one.name for one in load(tmp_path / "two" / "out" / "m.toml").config.mirror] == ["a?"]


def test_an_address_of_several_lines(tmp_path: Path) -> None:
    """What is set aside has no line that somebody else has written."""
    (tmp_path / "mirrors.d").mkdir()
    (tmp_path / "mirrors.d" / "b.yml").write_text(f"name: b\n{ADDRESS}")
    (tmp_path / "mirrors.d").rename(tmp_path / "more")
    text = 'name: a\naddress: {https: "ftpx://a.example/\\nprivate = true"}\n'
    config = CONFIG + "mirrors_dir: more\n"
    (tmp_path / "more" / "a.yml").write_text(text)
    found = _alma(tmp_path, text, config)
    assert len(found.incomplete) == 1
    aside = (tmp_path / "out" / found.incomplete[0].file).read_text()
    assert "private" not in tomllib.loads(aside)


def test_keys_that_come_twice(tmp_path: Path) -> None:
    """The last one counts, as in YAML's readers, and the others are named."""
    text = f"name: a\n{ADDRESS}sponsor: One\nsponsor: Two\ngeolocation: {{city: A, city: B}}\n"
    found = _alma(tmp_path, text)
    doubled = [(one.field, one.line, one.value) for one in found.left_out if "again" in one.why]
    assert doubled == [("sponsor", 3, "One"), ("city", 5, "A")]


@pytest.mark.parametrize("folder", ["/etc", "../..", "a/../.."])
def test_mirrors_elsewhere(tmp_path: Path, folder: str) -> None:
    """A list of somebody else reads no other folder of this machine."""
    with pytest.raises(DataFileError, match=r"config.yml:4: mirrors_dir leads out of"):
        _alma(tmp_path, "name: a\n", f"{CONFIG}mirrors_dir: {folder}\n")


def _plain(folder: Path, text: str, path: str) -> Imported:
    (folder / "list").write_text(text)
    notes = Notes()
    repository = RepositoryDraft("main", [], [], path)
    site = read_plain(folder / "list", "A", repository, _places(), notes)
    return write_site(site, notes, folder / "m.toml", "import", None, None)


def test_a_path_that_names_a_version_twice(tmp_path: Path) -> None:
    """It is the end of a URL where both are the same."""
    lines = "https://a.example/9/os-9/x/\nhttps://b.example/9/os-8/x/\n"
    found = _plain(tmp_path, lines, "{version}/os-{version}/x")
    urls = {one.name: one.urls for one in load(tmp_path / "m.toml").config.mirror}
    assert found.mirrors == 2
    assert urls["a.example"] == ["https://a.example/"]
    assert urls["b.example"] == ["https://b.example/9/os-8/x/"]


def test_a_url_without_an_end(tmp_path: Path) -> None:
    """A line that only looks like a URL is set aside, and the others are taken."""
    found = _plain(tmp_path, "http://[bad/\nhttps://a.example/\n", "{version}/{arch}")
    assert (found.mirrors, len(found.incomplete)) == (1, 1)


@pytest.mark.parametrize(("name", "error"), [("a\udcff", OutputError), ("a\x7f", BackendError)])
def test_a_first_file_of_bytes(tmp_path: Path, name: str, error: type[Exception]) -> None:
    """An answer that no file can hold is refused, and no file is left."""
    with pytest.raises(error):
        write_starter(tmp_path / "m.toml", Starter(name=name))
    assert not [*tmp_path.iterdir()]
