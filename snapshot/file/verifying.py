"""What must hold in a snapshot beyond what decoding it checks: no lookup may point outside.

What is as in a sound snapshot before is not verified again, unless something that it refers to has
changed.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from snapshot.file import sections
from snapshot.file.model import Ranges
from snapshot.file.nametable import verify_text

if TYPE_CHECKING:
    from snapshot.file.reader import Snapshot

_MAX_BANDWIDTH = 1 << 31


def verify(
    snapshot: "Snapshot",
    unchanged: frozenset[str],
    rest: Callable[[], object] = lambda: None,
) -> None:
    """Raise MalformedSnapshot if parts of a snapshot contradict each other.

    `unchanged` names the sections that have the same bytes as in another sound snapshot; `rest` is
    called after each step.
    """
    verifier = _Verifier(snapshot, unchanged)
    for step in (
        verifier.verify_parts,
        verifier.verify_columns,
        verifier.verify_places,
        verifier.verify_messages,
        verifier.verify_ranges,
    ):
        step()
        rest()


class _Verifier:
    def __init__(self, snapshot: "Snapshot", unchanged: frozenset[str]) -> None:
        self._snapshot = snapshot
        self._unchanged = unchanged

    def _is_new(self, *names: str) -> bool:
        """Return whether any of these sections is not as in the snapshot before."""
        return not self._unchanged.issuperset(names)

    def verify_parts(self) -> None:
        """Verify the two large parts that take longest, if they changed."""
        snapshot = self._snapshot
        if self._is_new("directory_names"):
            snapshot.guard("directory_names", snapshot.name_table.verify)
        # Equal names are the names of as many directories: `verify_columns` compares the two.
        if self._is_new("file_details", "directory_names"):
            count = snapshot.directory_count
            snapshot.guard("file_details", lambda: snapshot.file_detail_table.verify(count))
        # To make the table is to verify it; what is not in memory is verified at each lookup.
        _ = snapshot.file_sum_table

    def verify_columns(self) -> None:
        snapshot = self._snapshot
        # Whole columns are checked at C speed, so that no later lookup can point outside.
        directories = snapshot.directory_table
        if snapshot.name_table.count != directories.count:
            raise snapshot.malformed("directories", "another number of names")
        snapshot.guard(
            "host_sets",
            lambda: snapshot.host_set_table.verify(len(snapshot.hosts), directories.count),
        )
        dated = snapshot.history_table.directories if snapshot.history_table else ()
        if max(dated, default=-1) >= directories.count:
            raise snapshot.malformed("history", "a directory that does not exist")
        sets = range(snapshot.host_set_count if self._is_new("host_sets", "hosts") else 0)
        if any(snapshot.host_set_table[at] >> len(snapshot.hosts) for at in sets):
            raise snapshot.malformed("host_sets", "a host that does not exist")

    def verify_places(self) -> None:
        snapshot, directories = self._snapshot, self._snapshot.directory_table
        for value in set(directories.host_sets) - {sections.NO_HOST_SET}:
            if value >= snapshot.host_set_table.count:
                raise snapshot.malformed("directories", "a host set that does not exist")
        for value in set(directories.categories) - {sections.NO_CATEGORY}:
            if value >= len(snapshot.categories):
                raise snapshot.malformed("directories", "a category that does not exist")

    def verify_messages(self) -> None:
        snapshot = self._snapshot
        if any(not 1 <= host.bandwidth <= _MAX_BANDWIDTH for host in snapshot.hosts):
            raise snapshot.malformed("hosts", "a bandwidth out of range")
        if self._is_new("repositories", "directory_names"):
            for repository in snapshot.repositories:
                if not 0 <= repository.directory < snapshot.directory_count:
                    raise snapshot.malformed("repositories", "a directory that does not exist")
        if self._is_new("categories", "hosts"):
            named = (one.host for row in snapshot.categories for one in row.hosts)
            self._verify_hosts("categories", named)
        numbers = snapshot.newest if self._is_new("newest", "directory_names") else ()
        if any(not 0 <= one < snapshot.directory_count for one in numbers):
            raise snapshot.malformed("newest", "a directory that does not exist")
        for name, texts in self._texts():
            snapshot.guard(name, lambda: verify_text("/".join(texts)))  # noqa: B023

    def verify_ranges(self) -> None:
        snapshot = self._snapshot
        if self._is_new("country_ranges"):
            ranges = snapshot.country_ranges
            if not all(map(_is_country, (*ranges.values4, *ranges.values6))):
                raise snapshot.malformed("country_ranges", "a value that is no country")
        if self._is_new("netblock_ranges", "netblock_chains", "hosts"):
            if any(
                not 0 <= chain <= len(snapshot.netblock_chains) for chain in self._chain_numbers()
            ):
                raise snapshot.malformed("netblock_ranges", "a chain that does not exist")
            named = (
                host for chain in snapshot.netblock_chains for one in chain for host in one.hosts
            )
            self._verify_hosts("netblock_chains", named)
        for name in ("netblock_ranges", "country_ranges", "asn_ranges"):
            if self._is_new(name) and not _is_rising(getattr(snapshot, name)):
                raise snapshot.malformed(name, "starts that do not rise")

    def _texts(self) -> Iterator[tuple[str, Iterable[str]]]:
        """Everything of the changed sections that may stand in a list, by section."""
        snapshot = self._snapshot
        for host in snapshot.hosts if self._is_new("hosts") else ():
            yield "hosts", (host.name, host.site, host.country, *host.countries_allowed)
        for category in snapshot.categories if self._is_new("categories") else ():
            urls = (url for host in category.hosts for url in host.urls)
            yield "categories", (category.name, category.topdir, *urls)
        for repository in snapshot.repositories if self._is_new("repositories") else ():
            yield "repositories", (repository.prefix, repository.arch)
        for shape in snapshot.request_shapes if self._is_new("request_shapes") else ():
            targets = (text for target in shape.requests.values() for text in target)
            yield "request_shapes", (*shape.names, *shape.requests, *targets)
        for names in snapshot.newest.values() if self._is_new("newest") else ():
            yield "newest", names.split("\n")
        yield "redirects", (*snapshot.redirects, *snapshot.redirects.values())
        yield "continents", (*snapshot.continents, *snapshot.continents.values())

    def _chain_numbers(self) -> set[int]:
        snapshot = self._snapshot
        return {*snapshot.netblock_ranges.values4, *snapshot.netblock_ranges.values6}

    def _verify_hosts(self, section: str, hosts: Iterable[int]) -> None:
        snapshot = self._snapshot
        if any(not 0 <= host < len(snapshot.hosts) for host in hosts):
            raise snapshot.malformed(section, "a host that does not exist")


def _is_country(value: int) -> bool:
    letters = bytes((value >> 8 & 0xFF, value & 0xFF))
    return not value or (value < 1 << 16 and letters.isalnum())


def _is_rising(ranges: Ranges) -> bool:
    return all(sorted(one) == list(one) for one in (ranges.starts4, ranges.starts6))
