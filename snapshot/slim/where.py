"""Where a repository is below a source: there itself, or in the directory that a database has."""

from snapshot.file.errors import PackagesError
from snapshot.link import linked
from snapshot.packages.statements import REPOSITORIES
from snapshot.slim.job import SlimJob


def repository_below(job: SlimJob) -> str:
    """Return the path before the repository's own paths; raises a BackendError."""
    if job.database is None:
        if job.repo is not None or job.arch is not None:
            raise PackagesError("--repo and --arch are looked up in a database: give --database")
        return ""
    with linked(job.database, "mirrorlist packages slim") as link:
        rows = link.query(REPOSITORIES, {"repo": job.repo, "arch": job.arch})
    what = " ".join(filter(None, (job.repo, job.arch))) or "the database"
    if not rows:
        raise PackagesError(
            f"{what}: no such repository; `mirrorlist repo list` names those of the database"
        )
    if len(rows) != 1:
        raise PackagesError(
            f"{what}: {len(rows):,} repositories; name one of them by --repo and --arch"
        )
    return f"{rows[0][0]}/"
