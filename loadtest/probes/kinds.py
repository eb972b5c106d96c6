"""The mirrors and repositories of a measurement, and what a probe has to say of each mirror."""

from collections.abc import Iterator

from msgspec import Struct

ARCHES = ("x86_64", "aarch64")
NOW = 1_790_000_000
SHARES = {
    "fast": 60, "slow": 15, "stale": 5, "lying": 5, "redirecting": 5, "resetting": 4,
    "dripping": 3, "silent": 1, "failing": 1, "empty": 1,
}  # fmt: skip
"""How many of a hundred mirrors are of a kind."""
VERDICTS = {
    "fast": "current", "slow": "current", "redirecting": "current", "stale": "behind",
    "lying": "wrong", "empty": "missing",
}  # fmt: skip
"""What a probe says of their files; the others are unreachable, and leave the lists."""
_FILES = ("primary", "filelists", "other", "primary_db", "filelists_db", "comps", "updateinfo")
_SIZE = 1000


class Mirror(Struct, frozen=True):
    """A mirror: its kind, and its own loopback address, as if it were a machine of its own."""

    name: str
    kind: str
    address: str


def mirrors(count: int) -> list[Mirror]:
    """Return mirrors of all kinds; the first one is fast, and redirects lead to it."""
    kinds = [*_kinds(count)]
    return [
        Mirror(f"{kind}-{at}", kind, f"127.1.{at // 250}.{at % 250 + 1}")
        for at, kind in enumerate(kinds)
    ]


def _kinds(count: int) -> Iterator[str]:
    left = count
    for kind, share in reversed(SHARES.items()):
        if kind != "fast":
            many = min(max(1, round(count * share / 100)), left - 1)
            left -= many
            yield from [kind] * many
    yield from ["fast"] * left


def versions(repositories: int) -> list[str]:
    """Return the versions whose repositories are that many with all arches."""
    return [str(number) for number in range(1, max(1, repositories // len(ARCHES)) + 1)]


def repomd(path: str, time: int = NOW, more: str = "") -> bytes:
    """Return the repomd.xml of a path, as long as createrepo_c's."""
    data = "".join(
        f'  <data type="{name}">\n'
        f'    <checksum type="sha256">{name.encode().hex():0<64}</checksum>\n'
        f'    <open-checksum type="sha256">{path.encode().hex():0<64.64}</open-checksum>\n'
        f'    <location href="repodata/{name}.xml.gz"/>\n'
        f"    <timestamp>{time}</timestamp>\n    <size>{_SIZE}</size>\n"
        f"    <open-size>{_SIZE * 7}</open-size>\n  </data>\n"
        for name in _FILES
    )
    head = '<repomd xmlns="http://linux.duke.edu/metadata/repo">\n'
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{head}{data}{more}</repomd>\n'
    return text.encode()


def site_file(port: int, found: list[Mirror], repositories: int) -> str:
    """Return the file of a site; its primary is on 127.0.0.1."""
    quoted = ", ".join(f'"{one}"' for one in versions(repositories))
    arches = ", ".join(f'"{one}"' for one in ARCHES)
    head = (
        '[site]\nname = "Probed"\ncontact = "mirrors@example.org"\n'
        f'[primary]\nurl = "http://127.0.0.1:{port}/pub/"\n'
        f'[[repository]]\nprefix = "repo"\nversions = [{quoted}]\narches = [{arches}]\n'
        'path = "{version}/{arch}/os"\n'
    )
    return head + "".join(
        f'[[mirror]]\nname = "{one.name}"\ncountry = "DE"\n'
        f'urls = ["http://{one.address}:{port}/pub/"]\n'
        for one in found
    )
