"""The rules that name a repository, as tables; scan-primary-mirror's own tests are among them."""

import pytest

from snapshot.file.errors import ScanSettingsError
from snapshot.scan import patterns
from snapshot.scan.config import Mapping
from snapshot.scan.inventory import Inventory
from snapshot.scan.patterns import compiled, replaced
from snapshot.scan.repositories import Existing, Wanted, plan
from snapshot.scan.rules import (
    Version,
    find_arch,
    find_prefix,
    find_version,
    is_skipped,
    new_version,
)
from tests.scanned import SETTINGS

ARCHES = [(1, "source"), (2, "x86_64"), (3, "i386")]
SIG = r"^SIGs/\d+(?:-stream)?/(?P<signame>\S+?)/(?P<arch>\S+?)/(?P<sigrepo>\S+?)/.*"


@pytest.mark.parametrize(
    ("path", "arch"),
    [
        pytest.param("pub/epel/9/Everything/x86_64", 2, id="a part of the path"),
        pytest.param("x86_64", 2, id="the whole path"),
        pytest.param("pub/9/i386/x86_64", 2, id="two: the first of the database"),
        pytest.param("pub/9/x86_64_v2/os", None, id="only a part of a part"),
        pytest.param("pub/9/SRPMS", 1, id="SRPMS"),
        pytest.param("pub/9/src", 1, id="src"),
        pytest.param("pub/9/source/tree", 1, id="source"),
        pytest.param("pub/9/riscv64", None, id="unknown"),
    ],
)
def test_the_arch(path: str, arch: int | None) -> None:
    """An arch is a whole part of a path, and SRPMS or /src is source."""
    assert find_arch(path, ARCHES) == arch


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("", ""),
        ("/", ""),
        ("top/77/base", "77"),
        ("top/8.8/base", "8.8"),
        ("top/development/rawhide/os", "development"),
        ("top/development/os", ""),
        ("top/development/1030/os", "1030"),
        ("SIGs/9-stream/infra/x86_64/infra-common/", "9-stream"),
        ("path/8.88_Beta/something", "8.88_Beta"),
        ("pub/epel/9", ""),
    ],
)
def test_the_name_of_a_new_version(path: str, name: str) -> None:
    """It is the first number between two slashes, with a word behind a hyphen or underscore."""
    assert new_version(path) == name


@pytest.mark.parametrize(
    ("path", "version"),
    [
        pytest.param("pub/9/x86_64", Version(5, "9"), id="known"),
        pytest.param("pub/rawhide/x86_64", Version(6, "development"), id="rawhide is known"),
        pytest.param("pub/10/9/x86_64", Version(5, "9"), id="a known one before a new one"),
        pytest.param("pub/10/x86_64", Version(None, "10"), id="new"),
        pytest.param("pub/test/10/x86_64", Version(None, "10", True), id="new in a test path"),
        pytest.param("a/10_Beta/x", Version(None, "10_Beta", False, False), id="not displayed"),
        pytest.param("pub/x86_64", None, id="no version"),
    ],
)
def test_the_version(path: str, version: Version | None) -> None:
    """It is the first one of the product in the path, or a new one."""
    known = [Version(5, "9"), Version(6, "development")]
    assert find_version(path, known, SETTINGS) == version


@pytest.mark.parametrize(
    ("path", "version", "regex", "prefix", "more", "wanted"),
    [
        pytest.param("path", "76", "other", "some", "", "", id="no mapping fits"),
        pytest.param("path", "76", "path", "some", "", "some-76", id="plain"),
        pytest.param("path", "76", "path", "some", "f", "some-f76", id="version prefix"),
        pytest.param("path/debug/os", "76", "path", "some", "", "some-debug-76", id="debug"),
        pytest.param("path/SRPMS/debug", "76", "path", "some", "", "some-source-76", id="both"),
        pytest.param("path/source/x", "76", "path", "some", "", "some-source-76", id="source"),
        pytest.param("path/src/x", "76", "path", "some", "", "some-source-76", id="src"),
        pytest.param("path/debug", "rawhide", "path", "raw", "f", "raw-debug", id="rawhide"),
        pytest.param("a/path", "7", "^path", "some", "", "", id="anchored"),
        pytest.param("path/x", "7", "path", "old", "f", "newf7", id="alias"),
        pytest.param(
            "SIGs/9-stream/infra/x86_64/infra-common/debug/repodata", "9-stream", SIG,
            "centos-${signame}-sig-${sigrepo}", "",
            "centos-infra-sig-infra-common-debug-9-stream", id="named groups",
        ),
        pytest.param("pub/(free)/x", "7", r"^pub/\((\w+)\)/.*", "$1-el", "", "free-el-7", id="$1"),
        pytest.param("pub/free/x", "7", r"^pub/(?<n>\w+)/.*", "${n}-el", "", "free-el-7", id="<n>"),
    ],
)  # fmt: skip
def test_the_prefix(
    path: str, version: str, regex: str, prefix: str, more: str, wanted: str
) -> None:
    """It is the mapping's, then -source or -debug, or an alias of these, then the version."""
    mappings = [(compiled(regex, "test"), Mapping(regex, prefix, more))]
    assert find_prefix(path, version, mappings, [("old-", "new")]) == wanted


def test_the_first_mapping_wins() -> None:
    """Mappings are tried in the order of the configuration."""
    mappings = [(compiled(one, "test"), Mapping(one, one)) for one in ("x", "b", "a")]
    assert find_prefix("a/b", "1", mappings, []) == "b-1"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("$1", "one"),
        ("${1}st", "onest"),
        ("$1st", ""),
        ("$b-$$", "two-$"),
        ("$9", ""),
        ("$missing", ""),
    ],
)
def test_a_template(template: str, text: str) -> None:
    """Its groups are written as in Rust: a group that is not there is empty."""
    assert replaced(compiled(r"(one)/(?P<b>two)", "test"), "one/two", template) == text


def test_a_match_within_a_path() -> None:
    """As in Rust, what is not matched stays around what replaces the first match."""
    assert replaced(compiled(r"/(b)/", "test"), "a/b/c/b/d", "-$1-") == "a-b-c/b/d"


def test_classes_of_characters() -> None:
    """Rust's names of classes, and its end of the text, are understood."""
    assert compiled(r"^[[:alpha:]_]+\z", "test").search("ab_")
    assert not compiled(r"^[[:alpha:]]+\z", "test").search("ab\n")
    assert compiled(r"^\\z$", "test").search(r"\z")


def test_a_wrong_pattern() -> None:
    """It is named with its place."""
    with pytest.raises(ScanSettingsError, match=r"repository_mapping 1: \(: not a regular"):
        compiled("(", "repository_mapping 1")


@pytest.mark.parametrize(
    "pattern",
    ["[[a-z]&&[^b]]", "[a-z--b]", "a++", "a?+", "a{2}+", r"\<a", r"\b{start}", r"\p{L}", "a(?i)b"],
)
def test_what_only_rust_understands(pattern: str) -> None:
    """A pattern that would mean something else in Python is refused, and not taken for it."""
    with pytest.raises(ScanSettingsError, match="not a regular expression"):
        compiled(pattern, "test")


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("a$", "a\n", False),
        ("(?m)a$", "a\nb", True),
        (r"\$[$+*]+", "$+*$", True),
        (r"^[]+*?+]+$", "]+*", True),
        (r"^a\++$", "a++", True),
        ("(?x) a  b # a comment", "ab", True),
        ("(?i)A(?P<n>b)", "ab", True),
    ],
)
def test_what_both_understand(pattern: str, text: str, fits: bool) -> None:
    """A pattern means what it means in Rust."""
    assert bool(compiled(pattern, "test").search(text)) == fits


def test_a_pattern_that_tries_all_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped and named, in mappings and in excludes: in Rust it takes no time."""
    monkeypatch.setattr(patterns, "_MOST_SECONDS", 0.05)
    slow, path = compiled("(a+)+$", "test"), f"pub/{'a' * 60}x/x86_64"
    mappings = [(compiled("zz", "test"), Mapping("z", "z")), (slow, Mapping("a", "a"))]
    words = r"^\(a\+\)\+\\Z: takes more than 0.05 s at pub/a"
    with pytest.raises(ScanSettingsError, match=words):
        find_prefix(path, "9", mappings, [])
    with pytest.raises(ScanSettingsError, match=words):
        Inventory("pub", [slow]).directory(path.removeprefix("pub/"))


@pytest.mark.parametrize(
    ("path", "below", "skipped"),
    [
        ("pub/epel/9/x86_64", "9/x86_64/repodata", False),
        ("pub/epel/9/x86_64/Cloud", "9/x86_64/Cloud/repodata", True),
        ("pub/epel/alt/9/x86_64", "alt/9/x86_64/repodata", True),
        ("pub/epel/9/alt/x86_64", "9/alt/x86_64/repodata", False),
    ],
)
def test_what_is_skipped(path: str, below: str, skipped: bool) -> None:
    """skip_paths_for_version begin a name; skip_repository_paths are anywhere below the topdir."""
    assert is_skipped(path, below, SETTINGS) is skipped


def test_a_part_of_a_path_that_begins_with_rawhide() -> None:
    """Its version is development, of which there is one row and not two."""
    known, path = Version(5, "development", is_test=True), "pub/rawhide-stage/Everything/x86_64"
    assert find_version(path, [Version(4, "9"), known], SETTINGS) is known


@pytest.mark.parametrize(
    ("unlisted", "moves"),
    [
        pytest.param([], True, id="gone"),
        pytest.param(["pub/a"], False, id="above it"),
        pytest.param(["pub/a/os/repodata"], False, id="its metadata"),
        pytest.param(["pub/a/os/objects"], False, id="its objects"),
        pytest.param(["pub/a/os/Packages"], True, id="another directory in it"),
    ],
)
def test_what_could_not_be_listed_is_not_gone(unlisted: list[str], moves: bool) -> None:
    """A row is pointed elsewhere only if its own place was looked at."""
    existing = [Existing(1, "pub/a/os", "epel-9", 2, "pub/a/os", here=True, elsewhere=False)]
    wanted = [Wanted("pub/b/os", "epel-9", 2, "9")]
    found = plan(wanted, existing, {"pub/b/os"}, unlisted, [])
    assert found.moved == ([("pub/a/os", "pub/b/os")] if moves else [])
    assert bool(found.problems) != moves
