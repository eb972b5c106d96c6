"""Errors of `ask` and `inspect` for people: more helpful than the text that clients get."""

from typing import TYPE_CHECKING

from mirrorlist.errors import OperatorError

if TYPE_CHECKING:
    from mirrorlist.catalog.catalog import Catalog
    from snapshot.file.reader import Snapshot


class Unanswered(OperatorError):
    """A query without an answer; `more` are further lines, one command or query each."""

    def __init__(self, text: str, more: tuple[str, ...] = ()) -> None:
        """Take the one line, and what is shown below it."""
        super().__init__(text)
        self.more = more


def unknown_repository(repo: str, arch: str, catalog: "Catalog") -> Unanswered:
    """Return the error for an unknown repository, with the closest names."""
    text = f"the snapshot has no repository {repo} for {arch}"
    close = [f"  repo={name}&arch={other}" for name, other in catalog.closest(repo, arch)]
    if not close:
        return Unanswered(text)
    return Unanswered(f"{text}; the closest are:", tuple(close))


def unknown_directory(path: str, snapshot: "Snapshot") -> Unanswered:
    """Return the error for an unknown directory, with the closest names."""
    # Imported here, because any command may fail, and few have a snapshot.
    from mirrorlist.catalog.catalog import MOST_SUGGESTIONS
    from mirrorlist.catalog.closest import ClosestNames

    text = f"the snapshot has no directory {path}"
    close = ClosestNames(snapshot.directory_names()).find(path, MOST_SUGGESTIONS) if path else []
    if not close:
        return Unanswered(text)
    return Unanswered(f"{text}; the closest are:", tuple(f"  path={name}" for name in close))
