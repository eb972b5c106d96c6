"""Measures what reading a repository costs by several parsers, and what `packages slim` costs.

    python -m loadtest.packages.readers --factor 0.1
    pip install lxml createrepo_c

A parser that is not installed is left out. Each reads the same primary.xml from a file, and takes
name, version, sum, size, path and capabilities of each package, but keeps none. `slim` is a process
of its own, timed from its start to its exit; there is nothing to leave out, so all is read, looked
up and written.
"""

import gzip
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import iterparse

import click

from loadtest import options
from loadtest.common.cost import cost
from loadtest.common.records import this_machine
from loadtest.common.tables import sheet, show
from loadtest.packages.release import Release
from snapshot.packages.pieces import pieces
from snapshot.packages.primary import KINDS, Content, key_of, new_packages

_BLOCK = 1 << 18
_ENTRY = "{http://linux.duke.edu/metadata/rpm}entry"
# createrepo_c's names of what an import takes of a package.
_FIELDS = ("pkgId", "checksum_type", "name", "epoch", "version", "release", "arch", "size_package")
_PACKAGE = "{http://linux.duke.edu/metadata/common}package"


@options.program
@options.number("--factor", 0.1, "The size of the repository; 1 has 70,000 packages.", 0.001)
@options.number("--runs", 1, "How often each is measured.", 1)
def main(factor: float, runs: int) -> None:
    """Print the CPU of each way to read a repository, and the cost of making it slim."""
    machine, release = this_machine(), Release(factor)
    click.echo(f"{machine.cpu}, commit {machine.commit}, {release.packages:,} packages")
    with tempfile.TemporaryDirectory(prefix="mirrorlist-load-") as name:
        release.write(Path(name))
        repository = Path(name) / release.places()[0].directory
        (primary,) = (repository / "repodata").glob("*-primary.xml.gz")
        click.echo(f"primary.xml has {sum(map(len, _opened(primary))) / 1e6:.1f} MB")
        found = [(way, min(_taken(read, primary) for _ in range(runs))) for way, read in _ways()]
        show([sheet("Reading", found, {
            "by": lambda one: one[0],
            "CPU": lambda one: f"{one[1]:.2f} s",
        })])  # fmt: skip
        words = ["packages", "slim", "--out", f"{name}/slim", str(repository)]
        wall, cpu, peak = min(cost(words) for _ in range(runs))
        click.echo(f"packages slim: {wall:.2f} s, {cpu:.2f} s of CPU, {peak / 1000:.0f} MB")


def _taken(read: Callable[[Path], None], primary: Path) -> float:
    began = time.process_time()
    read(primary)
    return time.process_time() - began


def _ways() -> Iterator[tuple[str, Callable[[Path], None]]]:
    yield "unpacked alone", lambda path: _drain(_opened(path))
    yield "cut into packages, and these hashed", _cut
    yield "expat, as an import does", _parsed
    yield "ElementTree", lambda path: _iterated(iterparse, path, {})
    for name, read in (("lxml.etree", _by_lxml), ("createrepo_c", _by_createrepo_c)):
        try:
            module = import_module(name)
        except ImportError:
            click.echo(f"{name} is not installed, so it is left out")
        else:
            yield name, partial(read, module)


def _parsed(path: Path) -> None:
    _drain(new_packages(_opened(path), set(), Content()))


def _by_lxml(module: Any, path: Path) -> None:
    _iterated(module.iterparse, path, {"tag": _PACKAGE})


def _by_createrepo_c(module: Any, path: Path) -> None:
    for package in module.PackageIterator(str(path), None, None):
        some = [getattr(package, name) for name in _FIELDS]
        capabilities = [one for kind in KINDS for one in getattr(package, kind)]
        del some, capabilities


def _iterated(iterparse: Any, path: Path, more: dict[str, str]) -> None:
    with gzip.open(path) as file:
        for _, element in iterparse(file, **more):
            if element.tag == _PACKAGE:
                fields = {one.tag: (one.text, dict(one.attrib)) for one in element}
                capabilities = [dict(one.attrib) for one in element.iter(_ENTRY)]
                del fields, capabilities
                element.clear()


def _cut(path: Path) -> None:
    for piece in pieces(_opened(path), lambda text, is_last: None):
        key_of(piece)


def _opened(path: Path) -> Iterator[bytes]:
    with gzip.open(path) as file:
        while block := file.read(_BLOCK):
            yield block


def _drain(some: Iterator[Any]) -> None:
    for _ in some:
        pass


if __name__ == "__main__":
    main()
