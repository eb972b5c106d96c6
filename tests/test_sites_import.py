"""Other lists of mirrors become a site's files, and what is changed or left out is named."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from snapshot.sites.imports.draft import RepositoryDraft
from snapshot.sites.load import load
from snapshot.sites.state import declared
from tests.command import assert_refused
from tests.command import run_inside as run
from tests.offered import answer_of
from tests.small_sites import applied

CONFIG = """\
config_version: 3
allowed_outdate: 12h
mirrors_dir: mirrors.d
versions: ["9", "9.8", "10", "10.2"]
optional_module_versions:
  kitten: ["10"]
duplicated_versions:
  "9": "9.8"
  "10": "10.2"
arches:
  "10": [x86_64, x86_64_v2]
  "10-kitten": [x86_64]
  "9": [x86_64, aarch64]
repos:
  - name: baseos
    path: BaseOS/$basearch/os/
  - name: crb
    path: CRB/$basearch/os/
    versions: ["9.8"]
    arches: [x86_64]
  - name: baseos-source
    path: BaseOS/Source/
    vault: true
"""
GOOD = """\
name: good.example
address:
  http: http://good.example/alma/
  https: https://good.example/alma
  rsync: good.example::alma
address_optional:
  kitten:
    http: http://good.example/kitten/
    ftp: http://good.example/kitten/
geolocation:
  country: "UK"
  city: London
update_frequency: 3h
sponsor: 'An "Example"'
sponsor_url: https://example.org
email: owner@example.org
subnets: ["192.0.2.1/24"]
asn: [64500, 64501]
private: false
monopoly: false
colour: blue
"""


def _alma(folder: Path, **mirrors: str) -> Path:
    source = folder / "source"
    (source / "mirrors.d").mkdir(parents=True)
    (source / "config.yml").write_text(CONFIG)
    for name, text in mirrors.items():
        (source / "mirrors.d" / f"{name}.yml").write_text(text)
    return source


def _import(folder: Path, *words: object) -> dict[str, Any]:
    """Import into a folder; return what --json prints."""
    output = ("--output", folder / "mirrors.toml", "--no-dns", "--json")
    done = run("sites", "import", *words, *output)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_almalinux(tmp_path: Path) -> None:
    """Mirrors and repositories are those of the other files; the rest is named with its line."""
    found = _import(tmp_path, "almalinux", _alma(tmp_path, good=GOOD))
    config = load(tmp_path / "mirrors.toml").config
    assert (config.site.name, config.site.lag_hours) == ("AlmaLinux", 12)
    (one,) = config.mirror
    assert one.urls == [
        "https://good.example/alma",
        "http://good.example/alma/",
        "rsync://good.example/alma",
    ]
    assert one.trees == {"kitten": ["http://good.example/kitten/"]}
    assert (one.country, one.asn, one.netblocks) == ("GB", 64500, ["192.0.2.0/24"])
    assert (one.contact, one.sponsor) == ("owner@example.org", 'An "Example"')
    state = declared(config)
    assert {key: row.directory for key, row in state.repositories.items()} == {
        ("baseos-9.8", "x86_64"): "pub/9.8/BaseOS/x86_64/os",
        ("baseos-9.8", "aarch64"): "pub/9.8/BaseOS/aarch64/os",
        ("baseos-10.2", "x86_64"): "pub/10.2/BaseOS/x86_64/os",
        ("baseos-10.2", "x86_64_v2"): "pub/10.2/BaseOS/x86_64_v2/os",
        ("baseos-10-kitten", "x86_64"): "pub-kitten/10-kitten/BaseOS/x86_64/os",
        ("crb-9.8", "x86_64"): "pub/9.8/CRB/x86_64/os",
    }
    applied(f"sqlite:///{tmp_path / 'm.db'}", tmp_path / "mirrors.toml")
    for words, path in (("9/baseos", "alma/9.8/BaseOS"), ("10-kitten/baseos", "kitten/10-kitten")):
        listed = answer_of(tmp_path / "mirrors.toml", f"/mirrorlist/{words}").decode()
        assert f"good.example/{path}" in listed
    changed = [(row["field"], row["value"], row["why"]) for row in found["changed"]]
    assert changed == [
        ("URL", "good.example::alma", "rsync://good.example/alma"),
        ("country", "UK", "GB"),
        ("subnets", "192.0.2.1/24", "192.0.2.0/24"),
    ]
    left_out = {str(row["field"]): row for row in found["left_out"]}
    assert left_out["colour"]["why"] == "an unknown key"
    assert (left_out["colour"]["value"], left_out["colour"]["line"]) == ("blue", 21)
    assert left_out["repos"]["value"] == "baseos-source"
    assert {"asn", "URL", "geolocation.city", "update_frequency", "config_version"} < {*left_out}
    assert "monopoly" not in left_out


def test_mirrors_that_are_not_complete(tmp_path: Path) -> None:
    """They get files that are not read and say what is missing; no other mirror is lost by it."""
    plain = "name: {name}\naddress:\n  https: https://{name}/\n"
    source = _alma(
        tmp_path,
        good=GOOD,
        # YAML reads the code of Norway as a switch that is off.
        norway=plain.format(name="a.example") + "geolocation: {country: NO}\n",
        ending=plain.format(name="mirror.example.fr"),
        nowhere=plain.format(name="b.example"),
        mars=plain.format(name="c.example") + "geolocation: {country: Mars}\n",
        twice=plain.format(name="d.example.de").replace(
            "https://d.example.de", "https://a.example"
        ),
        overlap=plain.format(name="e.example.de") + "subnets: [192.0.2.0/25]\n",
        page=plain.format(name="f.example.de").replace("https://", "gopher://"),
    )
    found = _import(tmp_path, "almalinux", source)
    config = load(tmp_path / "mirrors.toml").config
    countries = {one.name: one.country for one in config.mirror}
    assert {"a.example": "NO", "mirror.example.fr": "FR"}.items() <= countries.items()
    why = {str(row["file"]): str(row["why"]) for row in found["incomplete"]}
    names = ("b.example", "c.example", "d.example.de", "e.example.de", "f.example.de")
    assert why.keys() == {f"mirrors.d/{name}.toml.incomplete" for name in names}
    assert "nothing tells its country" in why["mirrors.d/b.example.toml.incomplete"]
    assert "URL of gopher" in why["mirrors.d/f.example.de.toml.incomplete"]
    text = (tmp_path / "mirrors.d/f.example.de.toml.incomplete").read_text()
    assert text.startswith("# line 5: URL of gopher")
    with_country = tmp_path / "again"
    with_country.mkdir()
    options = ("--country", "us", "--country", "c.example=fr", "--country", "a.example=DE")
    found = _import(with_country, "almalinux", source, *options)
    assert {str(row["file"])[10:11] for row in found["incomplete"]} == {"d", "e", "f"}
    countries = {one.name: one.country for one in load(with_country / "mirrors.toml").config.mirror}
    assert {"a.example": "NO", "b.example": "US", "c.example": "FR"}.items() <= countries.items()
    told = run("sites", "check", with_country / "mirrors.toml").stdout.splitlines()
    assert told[1:] == ["3 files of mirrors.d with the ending .incomplete: not read"]


def test_all_of_almalinux(tmp_path: Path) -> None:
    """The real files of 200 mirrors: each is used or named, and an apply takes them."""
    data = Path(__file__).parent / "almalinux" / "mirrors-200.tar.xz"
    (tmp_path / "source/mirrors.d").mkdir(parents=True)
    with tarfile.open(data) as archive:
        for member in archive:
            if (file := archive.extractfile(member)) is not None:
                (tmp_path / "source" / member.name).write_bytes(file.read())
    found = _import(tmp_path, "almalinux", tmp_path / "source")
    assert found["mirrors"] == 188
    assert len(found["incomplete"]) == 12
    assert {row["why"] for row in found["left_out"] if row["why"] == "an unknown key"} == set()


LIST = """\
# A comment
https://a.example/pub/9/BaseOS/x86_64/os/
rsync://a.example/pub/9/BaseOS/x86_64/os/
FR https://b.example/9/BaseOS/aarch64/os/repodata/repomd.xml

## Germany
Server = http://c.example/linux/$releasever/BaseOS/$basearch/os
#Server = http://off.example/
https://d.example/whole/
what is this
"""


def test_a_plain_list(tmp_path: Path) -> None:
    """URLs of a host are a mirror, and their paths tell versions and arches."""
    (tmp_path / "list.txt").write_text(LIST)
    words = ("--prefix", "baseos", "--path", "{version}/BaseOS/{arch}/os", "--country", "US")
    found = _import(tmp_path, "list", tmp_path / "list.txt", *words)
    config = load(tmp_path / "mirrors.toml").config
    assert {one.name: (one.country, one.urls) for one in config.mirror} == {
        "a.example": ("US", ["https://a.example/pub/", "rsync://a.example/pub/"]),
        "b.example": ("FR", ["https://b.example/"]),
        "c.example": ("DE", ["http://c.example/linux/"]),
        "d.example": ("DE", ["https://d.example/whole/"]),
    }
    (repository,) = config.repository
    assert (repository.versions, repository.arches) == (["9"], ["aarch64", "x86_64"])
    assert {(row["line"], row["value"]) for row in found["left_out"]} == {
        (8, "#Server = http://off.example/"),
        (10, "what is this"),
    }


def test_for_people(tmp_path: Path) -> None:
    """What was changed and left out stands in tables, those of one kind in a row."""
    source = _alma(
        tmp_path, good=GOOD, other=GOOD.replace("good.", "other.").replace("192.0", "198.51")
    )
    done = run("sites", "import", "almalinux", source, "--output", tmp_path / "m.toml", "--no-dns")
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path / 'm.toml'}: written, with mirrors.d beside it: 2 mirrors" in done.stdout
    assert "update_frequency" in done.stdout
    assert run("sites", "check", tmp_path / "m.toml").returncode == 0
    assert_refused(
        run("sites", "import", "almalinux", source, "--output", tmp_path / "m.toml"),
        1,
        "m.toml: is there already",
    )


BOMB = "a: &a [x, x]\nb: [*a, *a]\n"


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("a: [", "config.yml:1: not YAML: "),
        ("", "config.yml:1: an empty file"),
        (BOMB, "config.yml:2: not YAML: a reference (*)"),
        ("a: " + "[" * 50, "config.yml:1: not YAML: too many levels"),
        ("- a", "config.yml:1: needs keys with values"),
        ("versions: 9", "config.yml:1: needs a list"),
        ("repos: [{name: a}]", "config.yml:1: `path` is missing"),
        ("repos: [{name: [a], path: b}]", "config.yml:1: needs a text"),
        (b"\xff", "config.yml: is not text in UTF-8"),
        (None, "config.yml: cannot be read: No such file"),
    ],
)
def test_bad_yaml(tmp_path: Path, config: str | bytes | None, told: str) -> None:
    """It gives one line with file and line, and nothing is written."""
    source = _alma(tmp_path, good=GOOD)
    (source / "config.yml").unlink()
    if config is not None:
        (source / "config.yml").write_bytes(
            config if isinstance(config, bytes) else config.encode()
        )
    done = run("sites", "import", "almalinux", source, "--output", tmp_path / "m.toml", "--no-dns")
    assert_refused(done, 2, told)
    assert [*tmp_path.iterdir()] == [source]


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        ("# nothing\n", (), "list.txt: has no URL; a line may be a URL, `CC URL`"),
        ("https://a.example/\n", ("--country", "Mars"), "--country Mars: not a country"),
        (
            "https://a.example/\n",
            ("--country", "DE", "--path", "{x}"),
            "m.toml:15: unknown field {x",
        ),
        (
            "https://a.example/\n",
            (),
            "nothing tells its country; write it, or give --country a.example=CC",
        ),
    ],
)
def test_a_bad_list(tmp_path: Path, text: str, words: tuple[str, ...], told: str) -> None:
    """It gives one line, and nothing is written."""
    (tmp_path / "list.txt").write_text(text)
    output = ("--output", tmp_path / "m.toml", "--no-dns")
    assert_refused(run("sites", "import", "list", tmp_path / "list.txt", *output, *words), 2, told)
    assert [*tmp_path.iterdir()] == [tmp_path / "list.txt"]


def test_drafts_do_not_share() -> None:
    """Each has lists of its own."""
    one, two = (RepositoryDraft("a", [], [], "p") for _ in range(2))
    assert one.exceptions is not two.exceptions
