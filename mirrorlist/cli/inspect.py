"""`mirrorlist inspect`: what is in a snapshot file."""

from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.cli.console import as_time, output, plain_table, print_json
from mirrorlist.cli.left_out import left_out_table
from mirrorlist.cli.options import options
from mirrorlist.cli.printed import Section, Summary
from mirrorlist.cli.unanswered import unknown_directory, unknown_repository
from mirrorlist.cli.values import FilePath
from mirrorlist.errors import OptionError
from snapshot.file.description import Description, File, describe, find_repository
from snapshot.file.reader import Snapshot
from snapshot.file.seal import read_key

# Shown first, because most clients check this hash.
_HASHES = ("sha256", "sha512", "sha1", "md5")


_ORIGINS = {
    "database": "a MirrorManager database",
    "cache": "a mirrorlist-server cache, which has no peer ASNs, no further categories of a"
    " directory, no names of hosts and no change times",
}


@click.command(short_help="What is in a snapshot, or about one repository in it.")
@click.argument("file", metavar="FILE", type=FilePath())
@click.option("--repo", metavar="PREFIX", help="Show one repository's directory; needs --arch.")
@click.option("--arch", metavar="ARCH", help="The architecture of --repo.")
@click.option("--path", metavar="DIRECTORY", help="Show one directory instead.")
@options("inspect")
def inspect(
    file: Path,
    repo: str | None,
    arch: str | None,
    path: str | None,
    snapshot_key: Path | None,
    json: bool,
) -> None:
    """Show what is in a snapshot: its id, times, counts, sections, and rows left out.

    With --repo and --arch, or --path, show one directory: its files' checksums, the hosts that
    may be offered for it, and the hosts that may not.

    \b
    mirrorlist inspect mm.snap
    mirrorlist inspect mm.snap --repo rawhide --arch x86_64
    """
    snapshot = Snapshot(file, read_key(snapshot_key) if snapshot_key else None)
    if repo is not None or arch is not None or path is not None:
        description = describe(snapshot, _find(snapshot, repo, arch, path))
        if json:
            print_json(description)
        else:
            _print_description(output(), description)
    elif json:
        print_json(_summary(snapshot))
    else:
        _print_summary(output(), snapshot, checked=snapshot_key is not None)


def _find(snapshot: Snapshot, repo: str | None, arch: str | None, path: str | None) -> int:
    if path is not None and repo is None and arch is None:
        index = snapshot.find_directory(path.strip("/"))
    elif path is None and repo is not None and arch is not None:
        index = find_repository(snapshot, repo, arch)
    else:
        raise OptionError("give --repo and --arch together, or --path alone")
    if index is None and repo is not None and arch is not None:
        raise unknown_repository(repo, arch, Catalog(snapshot))
    if index is None:
        raise unknown_directory(str(path), snapshot)
    return index


def _summary(snapshot: Snapshot) -> Summary:
    return Summary(
        format=snapshot.format,
        id=snapshot.id,
        built=snapshot.built,
        read=snapshot.read,
        sealed=snapshot.sealed,
        dated_since=_since(snapshot),
        origin=snapshot.report.origin,
        notes=list(snapshot.report.notes),
        counts=snapshot.counts(),
        sections=[Section(name, size) for name, size in snapshot.section_sizes],
    )


def _since(snapshot: Snapshot) -> int | None:
    """Return since when changes are dated, in seconds since 1970; None if no change is dated."""
    return snapshot.history.since if snapshot.has_change_times else None


def _print_summary(console: Console, snapshot: Snapshot, *, checked: bool) -> None:
    sealed = "yes, with this key" if checked else "yes (give --snapshot-key to check the key)"
    for name, value in (
        ("id", snapshot.id),
        ("format", snapshot.format),
        ("read", f"{as_time(snapshot.read)} (when the database was read)"),
        ("built", as_time(snapshot.built)),
        ("sealed", sealed if snapshot.sealed else "no"),
        ("changes", f"dated since {as_time(since)}" if (since := _since(snapshot)) else "unknown"),
        ("origin", _ORIGINS.get(snapshot.report.origin, snapshot.report.origin)),
    ):
        console.print(Text(f"{name:<9} {value}"))
    console.print()
    table = plain_table("holds", "")
    for name, count in snapshot.counts().items():
        table.add_row(name.replace("_", " "), f"{count:,}")
    console.print(table)
    console.print()
    table = plain_table("section", "bytes")
    for name, size in sorted(snapshot.section_sizes, key=lambda section: -section[1]):
        table.add_row(name, f"{size:,}")
    console.print(table)
    for note in snapshot.report.notes:
        console.print(Text(f"\n{note}"), soft_wrap=True)
    left_out = snapshot.report.left_out
    if left_out:
        console.print(Text(f"\n{len(left_out)} rows of the database were left out:"))
        console.print(left_out_table(left_out))


def _print_description(console: Console, found: Description) -> None:
    for name, value in (
        ("directory", found.directory),
        ("category", found.category or "none: no host is offered for it"),
        ("repositories", ", ".join(found.repositories) or "none"),
        ("changed", as_time(found.ctime) if found.ctime else "unknown"),
        ("readable", "yes" if found.readable else "no"),
    ):
        console.print(Text(f"{name:<13} {value}"), soft_wrap=True)
    for file in found.files:
        console.print(Text(_file(file)), soft_wrap=True)
    console.print(Text(f"\n{len(found.hosts)} hosts may be offered", style="bold"))
    # Not a table: it would break URLs over lines, which people want to copy.
    for host in found.hosts:
        marks = [
            *(["private"] if host.private else []),
            *(["always up to date"] if host.always_up2date else []),
            *([f"only for {' '.join(host.countries_allowed)}"] if host.countries_allowed else []),
            *([f"ASN {' '.join(map(str, host.asns))}"] if host.asns else []),
        ]
        told = [host.country or "no country", f"{host.bandwidth} Mbit/s", *marks]
        console.print(Text(f"{host.name} ({host.id}): {', '.join(told)}"), soft_wrap=True)
        for url in host.urls:
            console.print(Text(f"  {url}"), soft_wrap=True)
    if found.excluded:
        console.print(Text(f"\n{len(found.excluded)} hosts of the category may not", style="bold"))
        table = plain_table("host", "reason")
        for one in found.excluded:
            table.add_row(Text(f"{one.name} ({one.id})"), Text(one.reason))
        console.print(table)


def _file(file: File) -> str:
    hashes = [f"{kind} {getattr(file, kind)}" for kind in _HASHES if getattr(file, kind)]
    hashed = hashes[0] if hashes else "no hash"
    line = f"{file.name}  {as_time(file.timestamp)}  {file.size:,} bytes  {hashed}"
    return f"{'file':<13} {line}"
