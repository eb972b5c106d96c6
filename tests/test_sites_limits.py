"""A file that multiplies, from a pull request of a stranger: it is refused before it takes long."""

from pathlib import Path

import pytest

from snapshot.sites.file_changes import SiteFiles
from snapshot.sites.load import load
from snapshot.sites.problems import SitesFileError
from tests.small_sites import HEAD, mirror, problems, write


def _texts(many: int, letter: str) -> str:
    return ", ".join(f'"{letter}{number}"' for number in range(many))


def _aliases(kind: str, letter: str, meant: str) -> str:
    pairs = ", ".join(f'"{letter}{number}" = "{meant}"' for number in range(300))
    return f"{kind} = {{ {pairs} }}\n"


SHAPE = '[[shapes]]\nquery = { release = "{version}", repo = "{prefix}", a = "{arch}" }\n'
ALIASES = "".join(
    ("[aliases]\n", _aliases("versions", "v", "9"), _aliases("prefixes", "p", "baseos"),
     _aliases("arches", "a", "x86_64"))
)  # fmt: skip
MANY = HEAD.replace('"9", "10"', _texts(3000, "v")).replace(
    '"x86_64", "aarch64"', _texts(3000, "a")
)
GOOD = HEAD + mirror("a")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MANY + mirror("a"), "more than 20,000 repositories, each version and arch counted"),
        (GOOD + SHAPE + ALIASES, "more than 50,000 requests in other words"),
        (GOOD + ".".join("a" * 400_000) + " = 1\n", "a key with more than 100 dots"),
        (GOOD + "x = { " + ".".join("a" * 400_000) + " = 1 }\n", "a key with more than 100 dots"),
        (GOOD + "".join(f"k{n} = 1\n" for n in range(20_000)), "unknown key `k50` and 19,949 more"),
        (GOOD + "a" * 900_000 + " = 1\n", "unknown key `aaa"),
    ],
    ids=["versions", "aliases", "dots", "dots within", "keys", "a long key"],
)
def test_too_much(tmp_path: Path, text: str, words: str) -> None:
    """It has a problem of one short line."""
    found = problems(write(tmp_path, text))
    assert any(words in one for one in found), found[:3]
    assert len(found) <= 51
    assert max(map(len, found)) < 400


def test_dots_that_are_no_key(tmp_path: Path) -> None:
    """Dots in texts and comments are as many as they like."""
    netblocks = ", ".join(f'"10.{n}.0.0/24"' for n in range(200))
    text = GOOD + f"netblocks = [{netblocks}]\n" + f"# {'.' * 500}\nsponsor = '{'.' * 400}'\n"
    assert problems(write(tmp_path, text)) == []


def test_an_arch_of_no_repository(tmp_path: Path) -> None:
    """A shape for an arch that nobody has is told, because no client would get an answer."""
    shape = '[[shapes]]\npath = "/mirrorlist/{version}/{prefix}"\narch = "x86-64"\n'
    found = problems(write(tmp_path, GOOD + shape))
    assert found == [
        (
            "17: no repository has the arch `x86-64`: did you mean `x86_64`?;"
            " a variable of clients is written as $basearch"
        )
    ]


@pytest.mark.parametrize("kind", ["file", "link", "link within"])
def test_a_folder_that_cannot_be_read(tmp_path: Path, kind: str) -> None:
    """It is told, because without it all of its mirrors would be gone."""
    file = write(tmp_path, GOOD)
    folder = tmp_path / "mirrors.d"
    if kind == "file":
        folder.write_text("")
    elif kind == "link":
        folder.symlink_to("nothing")
    else:
        folder.mkdir()
        (folder / "b.toml").symlink_to("nothing")
    assert SiteFiles(file).changed()
    words = {"file": "Not a directory", "link": "No such file", "link within": "a link to nothing"}
    assert [words[kind] in one for one in problems(file)] == [True]


def test_a_folder_that_becomes_unreadable(tmp_path: Path) -> None:
    """A keeper sees it as a change, and so says what is wrong."""
    file = write(tmp_path, GOOD)
    files = SiteFiles(file)
    assert files.changed()
    (tmp_path / "mirrors.d").symlink_to("nothing")
    assert [files.changed(), files.changed()] == [False, True]


def test_orders_for_a_terminal(tmp_path: Path) -> None:
    """What a stranger wrote into a file tells the terminal of its reader nothing."""
    text = (
        GOOD
        + '"k\\u001b[31m" = 1\nweight = 0\n[mirror.trees]\n"\\u009b1m" = ["http://x.example/"]\n'
    )
    with pytest.raises(SitesFileError) as caught:
        load(write(tmp_path, text))
    lines = [str(caught.value), *caught.value.more]
    assert len(lines) > 1
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("https://a.example/pub/", "https://a.example/x/../pub/"), "URL with . or .. in its path"),
        (("https://a.example/pub/", "https://a.example/%2e%2E/"), "URL with . or .. in its path"),
        (
            ("https://a.example/pub/", "https://me:secret@a.example/"),
            "read: https://***@a.example/",
        ),
        (("{version}/BaseOS", "{version}/%2e%2e"), "no path with ., .. or two slashes"),
        (('"9", "10"', '"9/.."'), "no path with . or ..: 9/../BaseOS/x86_64/os"),
        (('"9", "10"', '"9&arch=x"'), "no client can ask for repo=baseos-9&arch=x"),
        (('"9", "10"', '"9 "'), "no client can ask for repo=baseos-9 "),
        (('"aarch64"', '"$basearch"'), "no client can ask for arch=$basearch"),
        (('name = "a"', 'name = "a\u200b"'), "`name` has an invisible character"),
        (('name = "a"', 'name = "a"\ncontact = "a\u202eb"'), "`contact` has an invisible"),
        (
            ('name = "a"', 'name = "a"\nnetblocks = ["10.0.0.0/8"]'),
            "/16; if meant: wide_netblocks =",
        ),
    ],
)
def test_values_that_lead_elsewhere(tmp_path: Path, edit: tuple[str, str], words: str) -> None:
    """A path leads to no other folder, and a name is what it looks like."""
    text = GOOD.replace(*edit)
    assert text != GOOD
    found = problems(write(tmp_path, text))
    assert len(found) == 1
    assert words in found[0]


def test_values_of_people(tmp_path: Path) -> None:
    """Words in other scripts may join their letters, and a company's network may be wide."""
    text = GOOD.replace("[primary]", "wide_netblocks = true\n[primary]")
    text += 'sponsor = "\u0645\u06cc\u200c\u0634\u0648\u062f"\nnetblocks = ["10.0.0.0/8"]\n'
    assert problems(write(tmp_path, text)) == []
