"""What is wrong with a file of a site: each problem has its line, and says what to write."""

import re
from pathlib import Path

import msgspec
import pytest

from snapshot.sites.config import Config, Mirror, Primary, Repository, Site, schema
from snapshot.sites.load import load
from tests.pages import ROOT
from tests.small_sites import HEAD, mirror, problems, site_text, write

# The file of the issue, whose keys are fixed.
FIXED = """\
[site]
name = "Example Linux"
contact = "mirrors@example.org"
[primary]
url = "http://primary.example/pub/"          # or: path = "/srv/pub"
[[repository]]
prefix = "baseos"                             # asked for as repo=baseos-9
versions = ["9", "10"]
arches = ["x86_64", "aarch64"]
path = "{version}/BaseOS/{arch}/os"           # below each mirror's URLs and the primary's
[[mirror]]
name = "mirror.example.de"
country = "DE"
urls = ["https://mirror.example.de/pub/", "rsync://mirror.example.de/pub/"]
weight = 1000                                 # optional from here: Mbit/s
asn = 64500
netblocks = ["192.0.2.0/24"]
private = false
countries_allowed = []
"""


def test_the_fixed_keys(tmp_path: Path) -> None:
    """The keys that outside checks use are read."""
    config = load(write(tmp_path, FIXED)).config
    assert config.site.contact == "mirrors@example.org"
    (one,) = config.mirror
    assert (one.weight, one.asn, one.netblocks) == (1000, 64500, ["192.0.2.0/24"])


# What is replaced in the fixed file, by what, and the one problem that is told then.
WRONG = {
    "a key": ("country =", "contry =", "13: unknown key `contry`: did you mean `country`?"),
    "a table": ("[primary]", "[primry]", "4: unknown key `primry`: did you mean `primary`?"),
    "far off": ("asn =", "zzz =", "16: unknown key `zzz`; there are name, country,"),
    "missing": ('country = "DE"\n', "", "11: `country` is missing"),
    "a type": ("= 1000 ", '= "fast" ', "15: `weight` needs a whole number, not text in quotes"),
    "a bound": ("= 1000 ", "= 0 ", "15: `weight` needs a whole number >= 1"),
    "a large ASN": ("64500", "4200000000", "16: `asn` needs a whole number <= 2147483647"),
    "an element": ('["192.0.2.0/24"]', "[4]", "17: `netblocks` needs text in quotes, not a whole"),
    "no text": ('"DE"', '""', "13: `country` is empty"),
    "no versions": ('["9", "10"]', "[]", "8: `versions` is empty: give at least one"),
    "one bracket": ("[[mirror]]", "[mirror]", "11: write [[mirror]] with two brackets"),
    "a line feed": ("mirror.example.de\"\nc", "a\\nb\"\nc", "12: `name` has a control character"),
    "syntax": ('"DE"', "DE", "13: not TOML: Invalid value; text stands in quotes, such as"),
    "a bracket": ("countries_allowed = []", "countries_allowed = [", "19: not TOML: Invalid value"),
    "a country": ('"DE"', '"UK"', "13: there is no country UK; GB is meant?"),
    "its name": ('"DE"', '"Germany"', "13: there is no country GERMANY; DE is meant?"),
    "none such": ('"DE"', '"XX"', "13: there is no country XX; write two letters of ISO 3166"),
    "allowed": ("allowed = []", 'allowed = ["AT", "UK"]', "19: there is no country UK; GB is"),
    "no scheme": ("https://mirror", "mirror", "14: URL without scheme: did you mean `https://mi"),
    "rsync's own": ("rsync://mirror.example.de/", "a.example::", ("14: URL without scheme: "
                    "did you mean `rsync://a.example/pub/`?")),
    "a scheme": ("https://mirror", "htps://mirror", "14: URL of htps; use http, https, rsync, ft"),
    "a query": ('de/pub/",', 'de/pub/?a",', "14: URL with a query: no path can be written beh"),
    "a password": ("https://mi", "https://u:p@mi", "14: URL with a user's name or a password"),
    "no URL": ('["https://mirror.example.de/pub/", "rsync://mirror.example.de/pub/"]', "[]",
               '11: mirror `mirror.example.de` has no URL: give urls = ["https://...'),
    "the same URL": ("rsync://", "https://", "14: the URL https://mirror.example.de/pub stands a"),
    "a netblock": ("192.0.2.0/24", "192.0.2.0/33", "17: not a network such as 192.0.2.0/24: 192"),
    "a wide one": ("192.0.2.0/24", "10.0.0.0/8", "17: a /8 is wider than the widest IPv4 netblo"),
    "overlap": ('24"]', '24", "192.0.2.7"]', "17: 192.0.2.7 overlaps 192.0.2.0/24 of this mirr"),
    "one path twice": ("{arch}/os", "os", "10: the path 9/BaseOS/os stands twice here (baseos-9,"),
    "one name twice": ('path = "{v', 'name = "{prefix}"\npath = "{v',
                       "10: repo=baseos for x86_64 stands twice here"),
    "a field": ("{arch}", "{arc}", "10: unknown field {arc}: did you mean `arch`?"),
    "more in it": ("{arch}", "{arch!r}", "10: write {arch} with nothing more in its brackets"),
    "twice a table": ("[primary]", "[site]", "4: not TOML: Cannot declare ('site',) twice"),
    "a brace": ("{arch}", "{arch", "10: a bracket without its other one: {version}/BaseOS/{arch"),
    "dots": ("/BaseOS/", "/../", "10: no path with ., .. or two slashes in a row"),
    "both": ('"http://primary.example/pub/"', '"http://a.example"\npath = "b"',
             "4: give either `url` or `path`"),
    "a tree": ("private = false", 'trees.kitten = ["https://k.example/"]',
               "18: no repository is of the tree `kitten`"),
    "a prefix": ("private = false", 'repositories = ["baseo"]',
                 "18: no such repository `baseo`: did you mean `baseos`?"),
    "an arch": ("private = false", 'arches = ["x86"]', "18: no such arch `x86`"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_problem(tmp_path: Path, case: str) -> None:
    """It is told with its line, and alone."""
    old, new, told = WRONG[case]
    assert old in FIXED
    first, *more = problems(write(tmp_path, FIXED.replace(old, new)))
    assert first.startswith(told), first
    same = first.partition(": ")[2][:12]
    assert [one for one in more if same not in one] == []
    assert ("stands in quotes" in first) == (case == "syntax")


def test_all_problems_at_once(tmp_path: Path) -> None:
    """Types and rules are told together, in the order of lines."""
    text = FIXED.replace("contact", "contct").replace('"DE"', '"UK"').replace("= 1000 ", "= 0 ")
    assert [one.partition(":")[0] for one in problems(write(tmp_path, text))] == ["3", "15"]
    text = FIXED.replace('"DE"', '"UK"') + mirror("other", "XX")
    assert [one.partition(":")[0] for one in problems(write(tmp_path, text))] == ["13", "22"]


def test_variants(tmp_path: Path) -> None:
    """A version may have its own path and arches, and an unknown version is named."""
    text = site_text(mirror("a")).replace(
        "[[mirror]]",
        '[[repository.exception]]\nversions = ["8"]\npath = "v/{version}/{arch}"\n[[mirror]]',
    )
    (told,) = problems(write(tmp_path, text))
    assert told == "12: no version `8` in `versions`"
    (told,) = problems(write(tmp_path, text.replace('path = "v/', 'pth = "v/')))
    assert told == "13: unknown key `pth`: did you mean `path`?"
    assert problems(write(tmp_path, text.replace('["8"]', '["10"]'))) == []


def test_a_mirror_a_file(tmp_path: Path) -> None:
    """Files of mirrors.d have a mirror without heading or a list, and their problems name them."""
    one = mirror("b").replace("[[mirror]]\n", "")
    write(tmp_path, one, "mirrors.d/b.toml")
    write(tmp_path, mirror("c") + mirror("d"), "mirrors.d/c.toml")
    write(tmp_path, "broken [", "mirrors.d/.c.toml.swp.toml")
    file = write(tmp_path, site_text(mirror("a")))
    found = load(file)
    assert [row.name for row in found.config.mirror] == ["a", "b", "c", "d"]
    assert len(found.files) == 3
    write(tmp_path, mirror("a", "FR").replace("a.example", "x.example"), "mirrors.d/e.toml")
    (told,) = problems(file)
    assert told.startswith("2: mirror `a` stands already at ")
    write(tmp_path, "x = 1\n" + mirror("e"), "mirrors.d/e.toml")
    assert problems(file) == ["1: `x` cannot stand beside [[mirror]] in a file of mirrors.d"]


def test_overlapping_netblocks(tmp_path: Path) -> None:
    """Those of two mirrors are refused, unless the file says that they may overlap."""
    text = site_text(
        mirror("a", "DE", 'netblocks = ["192.0.2.0/24"]'),
        mirror("b", "DE", 'netblocks = ["192.0.2.128/25", "198.51.100.0/24"]'),
    )
    (told,) = problems(write(tmp_path, text))
    assert told.startswith("20: 192.0.2.128/25 overlaps 192.0.2.0/24 of `a` (")
    allowed = text.replace("[primary]", "overlapping_netblocks = true\n[primary]")
    assert problems(write(tmp_path, allowed)) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "1: `[site]` is missing"),
        (b"\xff", "1: is not text in UTF-8"),
        (b"a = " + b"[" * 5000, "1: too many levels of brackets"),
        (HEAD.encode(), "1: no [[mirror]]: give at least one, here or in mirrors.d"),
        (b"site = 1", "1: needs a table, not a whole number"),
        (b"mirror = 1", "1: `[site]` is missing"),
        (b"a = 1979-13-41", "1: not TOML: "),
    ],
)
def test_no_site_at_all(tmp_path: Path, content: bytes, told: str) -> None:
    """A file that holds something else gives a line, never a traceback."""
    file = tmp_path / "mirrors.toml"
    file.write_bytes(content)
    assert problems(file)[0].startswith(told)


def test_no_file(tmp_path: Path) -> None:
    """A missing file leads to init, and a folder is refused."""
    (told,) = problems(tmp_path / "mirrors.toml")
    assert told == "1: no such file; `mirrorlist sites init` writes a first one"
    (told,) = problems(tmp_path)
    assert told == "1: cannot be read: Is a directory"


def test_the_page_is_right(tmp_path: Path) -> None:
    """docs/sites.md has a file that can be used, and names each key."""
    page = (ROOT / "docs/sites.md").read_text(encoding="utf-8")
    assert problems(write(tmp_path, page.partition("```toml\n")[2].partition("```")[0])) == []
    table = page.partition("| key | says |")[2].partition("\n\n")[0]
    keys = {name for kind in (Site, Primary, Repository, Mirror) for name in kind.__struct_fields__}
    told = {name.rpartition(".")[2].strip("[]") for name in re.findall(r"`([^`]+)`", table)}
    assert keys - told == set()


def test_the_schema_has_every_key() -> None:
    """Editors know each key that is read, with a description."""
    found = schema()["$defs"]
    assert found["Config"]["properties"].keys() == {*Config.__struct_fields__}
    mirrors = found["Mirror"]["properties"]
    assert mirrors.keys() == {*Mirror.__struct_fields__}
    assert [name for name, one in mirrors.items() if not one.get("description")] == []
    assert msgspec.json.encode(found)
