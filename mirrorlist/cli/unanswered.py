"""A question that has no answer, told to the person who asked: not the text that clients get."""

from mirrorlist.catalog import Catalog
from mirrorlist.errors import OperatorError


class Unanswered(OperatorError):
    """A query without an answer; `more` are further lines, each alone so that it can be copied."""

    def __init__(self, text: str, more: tuple[str, ...] = ()) -> None:
        """Take the one line, and what is shown below it."""
        super().__init__(text)
        self.more = more


def unknown_repository(repo: str, arch: str, catalog: Catalog) -> Unanswered:
    """Return the error for a repository that is not there, with the closest names."""
    text = f"the snapshot has no repository {repo} for {arch}"
    close = [f"  repo={name}&arch={other}" for name, other in catalog.closest(repo, arch)]
    if not close:
        return Unanswered(text)
    return Unanswered(f"{text}; the closest are:", tuple(close))
