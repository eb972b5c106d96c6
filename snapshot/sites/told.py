"""What a keeper says of an apply and of a probe, in a line each."""

from collections.abc import Iterable

from snapshot.sites.difference import Changes, SiteDifference
from snapshot.sites.judging import GOOD
from snapshot.sites.probe import ProbedAll
from snapshot.sites.verdict_rows import ProbedUrl

_MOST_NAMED = 3
_STAYS = "what was known stays"


def applied(found: SiteDifference) -> str:
    """Return what an apply has changed: `2 mirrors new (a, b), 1 repository gone (c)`."""
    parts = [f"renamed from {found.renamed_from}"] if found.renamed_from else []
    parts += [*_changes("mirror", found.mirrors), *_changes("repository", found.repositories)]
    parts += ["requests in other words changed"] * found.requests
    return ", ".join(parts)


def _changes(kind: str, found: Changes) -> list[str]:
    named = {
        "new": found.added,
        "changed": [one.name for one in found.changed],
        "gone": found.gone,
    }
    return [f"{_count(kind, names)} {what}" for what, names in named.items() if names]


def _count(kind: str, names: list[str]) -> str:
    kind = kind if len(names) == 1 else f"{kind[:-1]}ies" if kind[-1] == "y" else f"{kind}s"
    more = ", ..." if len(names) > _MOST_NAMED else ""
    return f"{len(names):,} {kind} ({', '.join(names[:_MOST_NAMED])}{more})"


def trouble_of_primary(found: ProbedAll) -> list[str]:
    """Return a line if repositories of the primary could not be read: the first, and why."""
    failed = [one for one in found.repositories if one.state == "failed"]
    if not failed:
        return []
    more = f" and {len(failed) - 1:,} more" if failed[1:] else ""
    first = failed[0]
    return [f"the primary: {first.repository}{more} cannot be read: {first.reason}; {_STAYS}"]


def published(found: ProbedAll) -> list[str]:
    """Return a line about the repositories of which the primary has a new state, if any."""
    new = [one.repository for one in found.repositories if one.state == "new"]
    return [f"the primary: {_count('repository', new)} new"] if new else []


def answers_of_mirrors(found: Iterable[ProbedUrl]) -> str:
    """Return the URLs of mirrors by what is wrong with them, with some of their names."""
    by_trouble: dict[str, list[str]] = {}
    for one in found:
        by_trouble.setdefault(_trouble(one), []).append(one.mirror)
    good = len(by_trouble.pop("", []))
    bad = [f"{_count('URL', sorted(names))} {what}" for what, names in sorted(by_trouble.items())]
    total = good + sum(map(len, by_trouble.values()))
    return f"mirrors: {good:,} of {total:,} URLs up to date{''.join(f', {one}' for one in bad)}"


def _trouble(one: ProbedUrl) -> str:
    worst = [name for name in one.verdicts if name not in {good.value for good in GOOD}]
    hidden = "" if one.offered else ", not offered"
    return f"{'/'.join(sorted(worst))}{hidden}" if worst else hidden.lstrip(", ")
