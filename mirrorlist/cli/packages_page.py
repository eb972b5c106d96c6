"""The page `/packages?name=` of a watch, also that of `run`: what `packages find --json` prints."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirrorlist.status.admin import Reply


def found(database: str, name: str) -> "Reply":
    """Return the page for a package's name; one that no repository has is 404."""
    # Imported here: a worker must never load a database driver, and a watch may never be asked.
    from mirrorlist.status.admin import json_reply
    from snapshot.file.errors import BackendError, PackagesError
    from snapshot.packages.find import find

    try:
        packages = find(database, name)
    except PackagesError as error:
        return json_reply({"error": str(error)}, 404)
    except BackendError as error:
        return json_reply({"error": str(error)}, 503)
    return json_reply(packages, 200 if packages.packages else 404)
