"""Smaller repositories: which packages they have, and what their repodata says of them."""

import hashlib
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from snapshot.file.errors import PackagesError, UnusableRepository
from snapshot.slim import extras, modules
from snapshot.slim import run as run_module
from snapshot.slim.repository import MOST_FILES
from tests.command import assert_refused
from tests.command import run_inside as run
from tests.packaged import PACKERS, X86, Rpm, Site, primary, write
from tests.slimmed import SlimSite, filelists, pkg, provided

need = provided


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (pkg("a", "9"), pkg("a", "1", epoch="1")),
        (pkg("a", "1~rc1"), pkg("a", "1")),
        (pkg("a", "1"), pkg("a", "1^git2")),
        (pkg("a", "1^git2"), pkg("a", "1.1")),
        (pkg("a", "9"), pkg("a", "10")),
        (pkg("a", "1", release="9"), pkg("a", "1", release="10")),
    ],
    ids=["epoch", "tilde", "caret", "caret and more", "number", "release"],
)
def test_the_newest_version(tmp_path: Path, older: Rpm, newer: Rpm) -> None:
    """Of each package the newest version is kept, by rpm's rules."""
    site = SlimSite(tmp_path, older, newer, pkg("b"))
    result = site.run()
    assert site.files == sorted([newer.file, "Packages/b/b-1-1.noarch.rpm"])
    assert site.excludes == ["/repodata/", f"/{older.file}"]
    assert (result.packages, result.packages_before) == (2, 3)
    assert (result.bytes, result.bytes_before) == (2000, 3000)
    assert site.run(newest=2).packages == 3


def test_each_arch(tmp_path: Path) -> None:
    """Each arch has a newest version of its own: i686 beside x86_64, noarch, and src."""
    arches = ("x86_64", "i686", "src")
    new = [pkg("a", "2", arch=arch) for arch in arches[:1]]
    old = [pkg("a", "1", arch=arch) for arch in arches]
    site = SlimSite(tmp_path, *new, *old, pkg("a", "0"))
    assert site.kept() == ["a-0-1", "a-1-1.i686", "a-1-1.src", "a-2-1.x86_64"]


@pytest.mark.parametrize(
    ("requires", "kept"),
    [
        ((need("lib", "1"),), ["lib-1-1"]),
        ((need("lib", "0:1-1"),), ["lib-1-1"]),
        ((need("lib", "2", "LT"),), ["lib-1-1"]),
        ((need("lib", "2", "LE"),), []),
        ((need("lib", "1", "GE"),), []),
        ((need("lib", "9", "GT"),), []),
        ((need("lib"),), []),
        ((need("(lib = 1 or lib)"),), []),
        ((need("(lib = 1 or nothing)"),), ["lib-1-1"]),
        ((need("(nothing or lib = 1)"),), ["lib-1-1"]),
        ((need("(lib &lt; 2 and lib &gt;= 1)"),), ["lib-1-1"]),
        ((need("(lib &gt;= 0.5 with lib &lt; 1.5)"),), ["lib-1-1"]),
        ((need("(lib without lib &gt;= 2)"),), ["lib-1-1"]),
        ((need("(lib = 1 if other)"),), ["lib-1-1"]),
        ((need("(other if nothing else lib = 1)"),), ["lib-1-1"]),
        ((need("(lib = 1 unless other)"),), ["lib-1-1"]),
        ((need("((lib = 1 or nothing) and other)"),), ["lib-1-1"]),
        ((need("(other and lib = 1)"),), ["lib-1-1"]),
        ((need("(other if lib = 1)"),), []),
        ((need("(other unless lib = 1 else lib = 9)"),), []),
        ((need("((other and a) or lib = 1)"),), []),
        ((need("((other and nothing) or lib = 1)"),), ["lib-1-1"]),
        ((need("((nothing and other) or lib = 1)"),), ["lib-1-1"]),
        ((need("((nothing or other) or lib = 1)"),), []),
        ((need("((nothing or none) or lib = 1)"),), ["lib-1-1"]),
        ((need("((nothing or lib = 1) or none)"),), ["lib-1-1"]),
        ((need("((other if nothing) or lib = 1)"),), []),
        ((need("((nothing if other) or lib = 1)"),), ["lib-1-1"]),
        ((need("((lib without lib = 1) or lib = 1)"),), []),
        ((need("((lib &lt; 2 with lib &gt;= 2) or lib = 1)"),), ["lib-1-1"]),
        ((need("(virtual with (nothing or lib = 1))"),), ["lib-1-1"]),
        ((need("(lib with lib &gt;= 0.5 with lib &lt; 1.5)"),), ["lib-1-1"]),
        ((need("(nothing or (lib = 1 if none))"),), ["lib-1-1"]),
        ((need("(nothing or none)"),), []),
        ((need("(lib = 1 and"), need("((("), need("(a xor b)")), []),
        ((need("rpmlib(Bytes)", "1", "LE"), need("nothing")), []),
        ((need("virtual"),), ["lib-1-1"]),
        ((need("virtual", "1"),), []),
        ((need("/usr/share/lib/old"),), ["lib-1-1"]),
        ((need("/usr/bin/none"),), []),
    ],
)
def test_what_is_required(tmp_path: Path, requires: tuple[str, ...], kept: list[str]) -> None:
    """An older version is kept if a kept package requires it, and only then."""
    old = pkg("lib", "1", provides=(need("virtual"),))
    packages = (pkg("a", "1", *requires), pkg("other"), old, pkg("lib", "2"))
    files = filelists({"lib": ["/usr/share/lib/old"]}, old)
    site = SlimSite(tmp_path, *packages, filelists=files)
    assert site.kept() == sorted(["a-1-1", "lib-2-1", "other-1-1", *kept])


def test_what_is_required_further(tmp_path: Path) -> None:
    """What a package needs that was added is added, too, and missing ones are counted."""
    # A condition that cannot be met is not a requirement that is missing.
    packages = [pkg("a", "1", need("b", "1"), need("(y if b)"))]
    packages += [pkg("b", "1", need("c", "1", "LE"), need("x"))]
    packages += [pkg("b", "2"), pkg("c", "1"), pkg("c", "2"), pkg("c", "0.5")]
    site = SlimSite(tmp_path, *packages)
    result = site.run()
    assert (result.packages, result.packages_required, result.missing) == (5, 2, 1)
    assert "Packages/c/c-1-1.noarch.rpm" in site.files
    assert "Packages/c/c-0.5-1.noarch.rpm" not in site.files


def test_files_that_are_required(tmp_path: Path) -> None:
    """A file is looked for in primary.xml, which has some, and in filelists.xml, which has all."""
    packages = [
        pkg("a", "1", need("/usr/bin/tool")),
        pkg("b", "1", need("/usr/share/x&amp;y")),
        *(pkg("tool"), pkg("data"), pkg("other")),
    ]
    lists = filelists({"data": ["/usr/share/x&amp;y"], "other": ["/usr/share/xy"]}, *packages)
    site = SlimSite(tmp_path, *packages, filelists=lists)
    assert site.kept(only=("a",)) == ["a-1-1", "tool-1-1"]
    assert site.kept(only=("b",)) == ["b-1-1", "data-1-1"]


def test_the_same_package_twice(tmp_path: Path) -> None:
    """A package that primary.xml has twice is one package, and is written once."""
    site = SlimSite(tmp_path, pkg("a"), pkg("b"), pkg("a"))
    assert site.run().packages == 2
    assert site.data("primary").count("<package ") == 2


def test_only_some(tmp_path: Path) -> None:
    """With --only, the named packages are kept with what they require, for their arch."""
    packages = [
        pkg("tea", "1", need("water"), arch="x86_64", recommends=(need("sugar"),)),
        pkg("tea", "0", arch="x86_64"),
        pkg("teapot", arch="x86_64"),
        pkg("water", arch="i686"),
        pkg("water", arch="x86_64"),
        pkg("sea", provides=(need("water"),)),
        pkg("sugar"),
        pkg("milk", "1", need("cow"), arch="src"),
        pkg("coffee", "1", need("well"), arch="x86_64"),
        pkg("well", arch="i686"),
        pkg("flower", "1", need("water"), arch="x86_64"),
        pkg("flowing", "1", need("water"), arch="i686"),
    ]
    site = SlimSite(tmp_path, *packages)
    assert site.kept(only=("tea",)) == ["tea-1-1.x86_64", "water-1-1.x86_64"]
    assert "sugar-1-1" in site.kept(only=("tea",), weak=True)
    assert "teapot-1-1.x86_64" in site.kept(only=("tea*",))
    assert site.kept(only=("sea", "sugar")) == ["sea-1-1", "sugar-1-1"]
    assert site.run(only=("milk",)).missing == 0
    assert site.kept(only=("coffee",)) == ["coffee-1-1.x86_64", "well-1-1.i686"]
    # A package for another machine is taken only if no package is for this one.
    waters = ["water-1-1.i686", "water-1-1.x86_64"]
    assert site.kept(only=("flow*",))[2:] == waters
    with pytest.raises(PackagesError, match="no package has a name such as beer"):
        site.run(only=("beer",))


MODULES = "".join(
    f"""---
document: modulemd
version: 2
data:
  name: {name}
  stream: {stream}
  version: {version}
  context: c0
  arch: x86_64
  artifacts:
    rpms:
    - perl-0:{rpm}.x86_64
...
"""
    for name, stream, version, rpm in (
        ("perl", "1.1", 1, "5.1-1.module1"),
        ("perl", "1.1", 2, "5.1-2.module2"),
        ("perl", "1.10", 1, "5.30-1.module3"),
    )
)


def test_modules(tmp_path: Path) -> None:
    """Of each stream the newest version is kept; other streams and plain packages stay."""
    rpms = (("5.1", "1.module1"), ("5.1", "2.module2"), ("5.30", "1.module3"))
    packages = [pkg("perl", ver, release=release, arch="x86_64") for ver, release in rpms]
    packages += [pkg("perl", "5.2", arch="x86_64"), pkg("perl", "5.0", arch="x86_64")]
    defaults = "---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: perl\n...\n"
    defaults += "---\ndocument: modulemd\ndata:\n  name: empty\n  stream: s\n...\n"
    site = SlimSite(tmp_path, *packages, modules=(MODULES + defaults).encode())
    assert site.kept() == [
        "perl-5.1-2.module2.x86_64",
        "perl-5.2-1.x86_64",
        "perl-5.30-1.module3.x86_64",
    ]
    text = site.data("modules")
    assert [line for line in text.splitlines() if "version: " in line] == [
        "version: 2",
        "  version: 2",
        "version: 2",
        "  version: 1",
        "version: 1",
    ]
    assert "module: perl" in text
    assert "name: empty" in text


def test_a_module_that_is_left_out(tmp_path: Path) -> None:
    """No requirement brings back a package of a module's version that dnf will not see."""
    old = pkg("perl", "5.1", release="1.module1", arch="x86_64")
    app = pkg("app", "1", need("perl", "0:5.1-1.module1"))
    site = SlimSite(tmp_path, app, old, modules=MODULES.encode())
    assert site.kept() == ["app-1-1"]
    assert site.run().missing == 1


UPDATES = b"""<?xml version="1.0"?>
<updates><update from="a"><id>OLD</id><title>a&amp;b</title><pkglist><collection>
<package name="tea" version="1" release="1" epoch="0" arch="noarch" src="s"/>
</collection></pkglist></update><update from="a"><id>NEW</id><pkglist><collection>
<package name="tea" version="2" release="1" arch="noarch" src="s"/>
<package name="tea" version="1" release="1" arch="noarch" src="s"/>
</collection></pkglist></update></updates>"""
COMPS = b"""<?xml version="1.0"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps><group><id>drinks</id><name xml:lang="de">G</name><packagelist>
<packagereq type="mandatory">tea</packagereq><packagereq type="default">cup</packagereq>
</packagelist></group></comps>"""

UPDATE = b"""<updates><update><pkglist><collection>
<package name="a" version="1" release="1" arch="noarch"/>
</collection></pkglist>%b</update></updates>"""
LONG = bytes([65] * 600_000)
DEEP = b"<a>" * 5000 + b"</a>" * 5000
MODULE = b"---\ndocument: modulemd\ndata: "


def full(folder: Path) -> SlimSite:
    """Return a repository with each kind of repodata."""
    packages = [pkg("tea", "1"), pkg("tea", "2"), pkg("cup")]
    lists = filelists({"tea": ["/a&amp;b"]}, *packages)
    files = {"filelists": lists, "other": lists, "updateinfo": UPDATES, "group": COMPS}
    more = {"other-thing": b"<x/>", "primary_db": b"SQLite", "prestodelta": b"<x/>"}
    return SlimSite(folder, *packages, **files, **more)


def test_repodata(tmp_path: Path) -> None:
    """Each file speaks of the kept packages alone, and repomd.xml has the sums of all."""
    site = full(tmp_path)
    site.run()
    assert 'packages="2"' in site.data("primary")
    for kind in ("filelists", "other"):
        root = ElementTree.fromstring(site.data(kind))
        assert root.get("packages") == "2"
        assert [one.get("name") for one in root] == ["tea", "cup"]
        assert "/a&amp;b" in site.data(kind)
    updates = ElementTree.fromstring(site.data("updateinfo"))
    assert [one.findtext("id") for one in updates] == ["NEW"]
    assert len([*updates.iter("package")]) == 1
    assert site.data("group").encode() == COMPS
    root = ElementTree.parse(site.out / "repodata/repomd.xml").getroot()
    space = "{http://linux.duke.edu/metadata/repo}"
    kinds = ["primary", "filelists", "other", "updateinfo", "group", "other-thing"]
    assert [one.get("type") for one in root.iter(f"{space}data")] == kinds
    for one in root.iter(f"{space}data"):
        location = one.find(f"{space}location")
        assert location is not None
        data = (site.out / str(location.get("href"))).read_bytes()
        assert one.findtext(f"{space}checksum") == hashlib.sha256(data).hexdigest()
        assert one.findtext(f"{space}size") == str(len(data))
    assert len([*(site.out / "repodata").iterdir()]) == len(kinds) + 1


def test_an_advisory_about_an_epoch(tmp_path: Path) -> None:
    """The epoch is part of what an advisory is about."""
    about = (
        '<update><id>E{0}</id><pkglist><collection><package name="tea" epoch="{0}" version="1"'
        ' release="1" arch="noarch"/></collection></pkglist></update>'
    )
    updates = f"<updates>{about.format(0)}{about.format(1)}</updates>".encode()
    site = SlimSite(tmp_path, pkg("tea", epoch="1"), updateinfo=updates)
    site.run()
    found = ElementTree.fromstring(site.data("updateinfo"))
    assert [one.findtext("id") for one in found] == ["E1"]


@pytest.mark.parametrize("ending", PACKERS)
def test_packed_as_before(tmp_path: Path, ending: str) -> None:
    """A file is packed as the source's was, and can be read again."""
    site = SlimSite(tmp_path, pkg("a"))
    shutil.rmtree(site.source / "repodata")
    write(site.source, primary(pkg("a", "1"), pkg("a", "2")), ending)
    site.run()
    (path,) = (site.out / "repodata").glob("*-primary*")
    assert path.name.endswith(f"-primary.xml{ending}")
    assert site.run(source=str(site.out), out=str(tmp_path / "again")).packages == 1


def test_groups_of_some(tmp_path: Path) -> None:
    """Groups name no package that is left out in every version."""
    site = full(tmp_path)
    site.run(only=("cup",))
    found = site.data("group")
    assert (">cup<" in found, ">tea<" in found, 'xml:lang="de"' in found) == (True, False, True)
    assert "<update" not in site.data("updateinfo").replace("<updates>", "")


def test_the_same_again(tmp_path: Path) -> None:
    """The same source gives the same bytes."""
    site = full(tmp_path)
    found = []
    for _ in range(2):
        site.run()
        found.append({path: path.read_bytes() for path in site.out.rglob("*") if path.is_file()})
    assert found[0] == found[1]


def test_lists(tmp_path: Path) -> None:
    """Names are such that rsync takes each for itself, below the prefix."""
    odd = [pkg("a", "2", path="#a [1].rpm"), pkg("a", "1", path="Packages/a*[b]?.rpm")]
    site = SlimSite(tmp_path, *odd)
    site.run()
    assert site.files == ["./#a [1].rpm"]
    assert site.excludes == ["/repodata/", r"/Packages/a\*\[b]\?.rpm"]
    site.run(prefix="/pub/x/")
    assert site.files == ["pub/x/#a [1].rpm"]
    assert site.excludes[0] == "/pub/x/repodata/"


@pytest.mark.parametrize("path", ["../x.rpm", "/etc/x.rpm", "a/&#10;b.rpm", "a\\b.rpm", "a//b"])
def test_hostile_paths(tmp_path: Path, path: str) -> None:
    """A package whose path leads elsewhere, or breaks a line, is in no list and no repodata."""
    site = SlimSite(tmp_path, pkg("a", path=path), pkg("b"))
    result = site.run()
    assert result.problems == [
        "1 packages are left out, first a: its path is not below the repository"
    ]
    assert site.files == ["Packages/b/b-1-1.noarch.rpm"]
    assert "<name>a<" not in site.data("primary")


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("filelists", b"<filelists><package pkgid='a'></package>", "filelists.xml is not XML"),
        ("other", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "other.xml defines an entity"),
        ("other", b"<?xml version='1.0' encoding='x8'?><a/>", "other.xml is not XML: unknown enc"),
        ("group", b"<comps><a:b/></comps>", "comps.xml is not XML: unbound prefix"),
        ("updateinfo", b"<updates><update></updates>", "updateinfo.xml is not XML"),
        ("modules", b"---\n{", "modules.yaml cannot be read"),
        ("modules", b"---\ndocument: modulemd\ndata: 7\n", "modules.yaml cannot be read"),
        ("modules", MODULE + b"{name: [a]}", "a list or a map where a text must be"),
        ("modules", MODULE + b"{artifacts: {rpms: [[]]}}", "a list or a map where a text"),
        ("modules", b"---\n" * 99_999, "modules.yaml has more than the limit of 200,000 bytes"),
        ("modules", LONG[:100_001], "a document of more than 100,000 bytes"),
        ("group", b"<!DOCTYPE a [<!ENTITY b 'c'>]><comps>&b;</comps>", "defines an entity"),
        ("group", b"<!DOCTYPE a SYSTEM 'b'><comps>&c;</comps>", "comps.xml is not XML: undefined"),
        ("group", DEEP, "comps.xml has elements too deep"),
        ("group", b"<comps>%b</comps>" % LONG, "comps.xml has more than the limit of 150,000"),
        ("updateinfo", UPDATE % DEEP, "updateinfo.xml has elements too deep"),
        ("updateinfo", UPDATE % LONG, "an advisory of more than 100,000 bytes"),
        ("updateinfo", b"<a><!--%b--></a>" % LONG, "an advisory of more than 100,000 bytes"),
    ],
)
def test_damaged_repodata(
    tmp_path: Path, kind: str, data: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not what it should be, or too large, is refused, and nothing is written."""
    monkeypatch.setattr(extras, "MOST_GROUPS_BYTES", 150_000)
    monkeypatch.setattr(extras, "MOST_UPDATE_BYTES", 100_000)
    monkeypatch.setattr(modules, "MOST_BYTES", 100_000)
    monkeypatch.setattr(run_module, "MOST_MODULES", 200_000)
    site = SlimSite(tmp_path, pkg("a"), pkg("b"), **{kind: data})
    with pytest.raises(UnusableRepository, match=words):
        site.run(only=("a",))
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("count", [MOST_FILES, MOST_FILES + 1])
def test_many_files(tmp_path: Path, count: int) -> None:
    """A repomd.xml with more files than a limit is refused."""
    site = SlimSite(tmp_path, pkg("a"), **{f"thing{at}": b"<x/>" for at in range(count - 1)})
    if count == MOST_FILES:
        assert site.run().packages == 1
        assert site.data("thing7") == "<x/>"
    else:
        with pytest.raises(UnusableRepository, match=r"repomd\.xml names more than 64 files"):
            site.run()


def test_comments_that_look_like_tags(tmp_path: Path) -> None:
    """What looks like the begin of a tag, very often, is read at once, not in hours."""
    comments = [b"<" + b"a" * 100_000, *(one * 30_000 for one in (b"<package ", b"<file "))]
    some = b"".join(b"<!-- %b -->" % one for one in comments)
    more = "<!-- {} -->".format('pkgid="YES"' * 30_000)
    lists = b"<a><package pkgid='00'>" + some + b"</package></a>"
    rpms = (pkg("a", "1", 'name="/x"'), pkg("b", more=more))
    site = SlimSite(tmp_path, *rpms, filelists=lists, other=some + b"<a></a>")
    assert site.kept() == ["a-1-1", "b-1-1"]


def test_a_wrong_sum(tmp_path: Path) -> None:
    """A file that is not the one that repomd.xml names is refused."""
    site = SlimSite(tmp_path, pkg("a"))
    (path,) = site.source.glob("repodata/*-primary.gz")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(UnusableRepository, match=r"does not have the sha256 of repomd\.xml"):
        site.run()
    path.unlink()
    with pytest.raises(UnusableRepository, match=r"-primary\.gz is missing"):
        site.run()
    (site.source / "repodata/repomd.xml").unlink()
    with pytest.raises(UnusableRepository, match=r"there is no repodata/repomd\.xml; give the fol"):
        site.run()


def test_the_command(tmp_path: Path) -> None:
    """It says how many bytes are left out, or prints JSON; a failure ends with one line."""
    site = SlimSite(tmp_path, pkg("a", "1"), pkg("a", "2"), pkg("b", "1", need("x")))
    words = ("packages", "slim", "--out", site.out, site.source)
    assert run(*words).stderr.splitlines() == [
        "mirrorlist: packages 2 of 3 kept, 0 only because others require them",
        "mirrorlist: bytes 2,000 of 3,000: 33.3 % are left out",
        f"mirrorlist: the new repodata has {repodata(site):,} bytes",
        "mirrorlist: 1 requirement is not met here, perhaps by another repository:",
        "  x",
    ]
    many = SlimSite(tmp_path / "7", *(pkg(f"p{one}", "1", need(f"x{one}")) for one in range(7)))
    assert run(*words[:-1], many.source).stderr.splitlines()[3:] == [
        "mirrorlist: 7 requirements are not met here, perhaps by another repository:",
        *(f"  x{one}" for one in range(5)),
        "  and 2 more; slim.json names the first 100",
    ]
    assert json.loads(run(*words, "--json").stdout)["bytes_before"] == 3000
    assert json.loads((site.out / "slim.json").read_text())["packages"] == 2
    assert_refused(run(*words[:-1], tmp_path / "none"), 3, "none: no such folder")
    assert_refused(run(*words, "--repo", "x"), 3, "give --database")


def repodata(site: SlimSite) -> int:
    """Return the bytes of the new repodata, but for repomd.xml."""
    paths = (site.out / "repodata").glob("*-*")
    return sum(path.stat().st_size for path in paths)


def test_a_repository_of_a_database(tmp_path: Path) -> None:
    """A repository is found by its prefix and arch, below the source."""
    tree = Site(tmp_path)
    tree.write(X86, pkg("a", "1"), pkg("a", "2"))
    site = SlimSite(tmp_path / "x")
    given = {"source": str(tree.source), "database": tree.url, "out": str(tmp_path / "out")}
    assert site.run(**given, repo="epel-2", arch="x86_64").packages == 1
    with pytest.raises(PackagesError, match="the database: 2 repositories; name one of them"):
        site.run(**given)
    with pytest.raises(PackagesError, match="epel-2 aarch64: no such repository; `mirrorlist repo"):
        site.run(**given, repo="epel-2", arch="aarch64")
    given["source"] = str(tree.source / "pub")
    missing = rf"there is no {X86}/repodata/repomd\.xml; give the tree that has it"
    with pytest.raises(UnusableRepository, match=missing):
        site.run(**given, repo="epel-2", arch="x86_64")
