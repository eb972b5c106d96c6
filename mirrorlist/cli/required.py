"""The queries of `--require`, as clients write them; each is checked before an export begins."""

from typing import TYPE_CHECKING

from mirrorlist.errors import BadQuery, OptionError

if TYPE_CHECKING:
    from snapshot.export.required import Required

_EXAMPLE = "give repo=NAME&arch=ARCH or path=DIRECTORY, such as repo=epel-9&arch=x86_64"


def parse_required(text: str) -> "Required":
    """Return what a query asks for; raises OptionError for any other text."""
    # Imported here: most exports have no --require, and a worker must never load the modules that
    # make snapshots.
    from mirrorlist.lists.target import normalised
    from mirrorlist.request.query import parse_query
    from snapshot.export.required import Required

    names = sorted(part.partition("=")[0] for part in text.split("&"))
    if names not in (["arch", "repo"], ["path"]):
        raise OptionError(f"--require {text}: {_EXAMPLE}, and nothing else")
    try:
        query = parse_query(text.encode(errors="surrogateescape"), metalink=False)
    except BadQuery as error:
        raise OptionError(f"--require {text}: {str(error).lstrip('# ')}") from error
    if query.path is not None:
        query_path = normalised(query.path)
        if query_path:
            return Required(text, path=query_path)
    elif query.repo and query.arch:
        return Required(text, repo=query.repo, arch=query.arch)
    raise OptionError(f"--require {text}: a value is missing; {_EXAMPLE}")
