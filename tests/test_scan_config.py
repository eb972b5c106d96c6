"""The configuration of a scan: scan-primary-mirror's file as it is."""

from pathlib import Path

import pytest

from loadtest.scans.tree import CONFIGURATION
from snapshot.file.errors import ScanSettingsError
from snapshot.scan.config import CategorySettings, read_settings

# Every key that scan-primary-mirror knows, with its name.
EVERYTHING = """
common_rsync_options = "--no-motd --timeout 14400"
max_propagation_days = 1
max_stale_days = 9
excludes = ["a"]
skip_paths_for_version = ["pub/alt"]
test_paths = ["/test/"]
skip_repository_paths = ["Cloud"]
do_not_display_paths = ["_Beta"]
[database]
url = "postgresql://localhost/mm"
[[category]]
name = "One"
type = "rsync"
url = "rsync://host/one/"
options = "--port=873"
checksum_base = "https://host/"
excludes = ["b"]
[[repository_mapping]]
regex = "one"
prefix = "first"
version_prefix = "f"
[[repository_aliases]]
from = "a-"
to = "b"
[[repository_alias]]
from = "c-"
to = "d"
[something_else]
key = 1
"""


def write(folder: Path, text: str) -> Path:
    """Write a configuration."""
    path = folder / "scan.toml"
    path.write_text(text)
    return path


def test_every_key(tmp_path: Path) -> None:
    """Each key is read by scan-primary-mirror's name; unknown keys are ignored, as it does."""
    found = read_settings(write(tmp_path, EVERYTHING))
    assert (found.max_propagation_days, found.max_stale_days) == (1, 9)
    assert found.common_rsync_options == "--no-motd --timeout 14400"
    assert found.of_category("One", None) == CategorySettings(
        "One", "rsync", "rsync://host/one/", "--port=873", "https://host/", ["b"]
    )
    assert [one.pattern for one in found.excluded(found.category[0])] == ["a", "b"]
    assert [(p.pattern, m.prefix, m.version_prefix) for p, m in found.mappings()] == [
        ("one", "first", "f")
    ]
    assert found.aliases() == [("a-", "b"), ("c-", "d")]


def test_nothing_but_a_category(tmp_path: Path) -> None:
    """Each key has scan-primary-mirror's default."""
    text = '[[category]]\nname = "One"\ntype = "directory"\nurl = "/srv"\n'
    found = read_settings(write(tmp_path, text))
    assert (found.max_propagation_days, found.max_stale_days) == (2, 3)
    assert found.mappings() == []


def test_the_configuration_of_the_load_test(tmp_path: Path) -> None:
    """The load test's configuration is one."""
    assert len(read_settings(write(tmp_path, CONFIGURATION)).mappings()) == 2


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("/srv/pub", "directory"),
        ("relative", "directory"),
        ("rsync://host/x/", "rsync"),
        ("host::module/", "rsync"),
    ],
)
def test_another_source(tmp_path: Path, source: str, kind: str) -> None:
    """A source replaces the url and says the type itself, even for an unknown category."""
    settings = read_settings(write(tmp_path, EVERYTHING))
    for name in ("One", "Two"):
        found = settings.of_category(name, source)
        assert (found.url, found.type, found.checksum_base) == (source, kind, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("x = ", "scan.toml: cannot be read: ", id="not TOML"),
        pytest.param("category = 1", "Expected `array`, got `int`", id="a wrong type"),
        pytest.param("[[category]]\nname = 'a'", "missing required field `type`", id="no type"),
        pytest.param("max_stale_days = 'x'", "max_stale_days", id="a word for a number"),
        pytest.param("max_stale_days = -1", "Expected `int` >= 0", id="less than no day"),
        pytest.param(f"max_stale_days = {10**30}", "max_stale_days", id="too many days"),
        pytest.param("\x00", "cannot be read", id="binary"),
    ],
)
def test_a_wrong_configuration(tmp_path: Path, text: str, words: str) -> None:
    """It is refused in one line that names the file."""
    with pytest.raises(ScanSettingsError) as refused:
        read_settings(write(tmp_path, text))
    assert str(tmp_path) in str(refused.value)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(ScanSettingsError, match="none: cannot be read: No such file"):
        read_settings(tmp_path / "none")


def test_a_nul(tmp_path: Path) -> None:
    """A url that no system call takes is refused."""
    settings = read_settings(write(tmp_path, EVERYTHING.replace('url = "', 'url = "\\u0000')))
    with pytest.raises(ScanSettingsError, match=r"category One: .* has a NUL"):
        settings.of_category("One", None)


@pytest.mark.parametrize(
    ("name", "words"),
    [("Two", "which has One; add a ..category"), ("One", "type ftp: not directory or")],
)
def test_a_wrong_category(tmp_path: Path, name: str, words: str) -> None:
    """A category that is not there, or of an unknown type, is refused."""
    text = EVERYTHING.replace('type = "rsync"', 'type = "ftp"')
    with pytest.raises(ScanSettingsError, match=words):
        read_settings(write(tmp_path, text)).of_category(name, None)
