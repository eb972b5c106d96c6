"""Redirects of repositories that help no client: to nowhere, to themselves, in a circle."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from snapshot.file.model import Repository

_MOST_SHOWN = 5


def odd_redirects(
    redirects: Mapping[str, str], repositories: Sequence[Repository]
) -> Iterator[str]:
    """Yield a line for each kind of odd redirect, which names the redirects.

    A server follows one redirect, and never a second one.
    """
    disabled = {row.prefix for row in repositories if row.disabled}
    known = {row.prefix for row in repositories}
    odd: dict[str, list[str]] = {}
    for asked, target in sorted(redirects.items()):
        why = _why(asked, target, redirects, known, disabled)
        if why:
            odd.setdefault(why, []).append(f"{asked} -> {target}")
        if asked in known and asked != target:
            odd.setdefault("hides a repository of the same name", []).append(f"{asked} -> {target}")
    for why, found in sorted(odd.items()):
        count = "1 redirect" if len(found) == 1 else f"{len(found)} redirects, each of which"
        yield f"{count} {why}: {_shown(found)}"


def _why(
    asked: str, target: str, redirects: Mapping[str, str], known: set[str], disabled: set[str]
) -> str | None:
    if asked == target:
        return "leads to itself"
    if target in disabled:
        return "leads to a repository that is disabled"
    if target in known:
        return None
    if _is_circle(asked, redirects):
        return "leads in a circle"
    if target in redirects:
        return "leads to another redirect, which is not followed"
    return "leads to no repository"


def _is_circle(asked: str, redirects: Mapping[str, str]) -> bool:
    seen, name = {asked}, redirects[asked]
    while name in redirects and name not in seen:
        seen.add(name)
        name = redirects[name]
    return name in seen


def _shown(found: Iterable[str]) -> str:
    shown = [*found]
    more = f" and {len(shown) - _MOST_SHOWN} more" if shown[_MOST_SHOWN:] else ""
    return ", ".join(shown[:_MOST_SHOWN]) + more
