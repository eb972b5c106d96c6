"""Which release a repository is of, such as "Fedora 43": as MirrorManager says, or by its name.

MirrorManager's front page shows a release as its product and its version, and the database's table
`repository` says of which version each repository is. The names of other repositories are read as
MirrorManager makes them (docs/statistics-database.md#releases).
"""

import re

from snapshot.link import POSTGRESQL, Link
from snapshot.stats import texts

NO_RELEASE = "(no release)"
"""Stands for the repositories whose names have no version."""

_MIRRORMANAGERS = ("repository", "version", "product")
_UNNAMED = """SELECT k.repo FROM stat_key k LEFT JOIN stat_release r ON r.repo = k.repo
    WHERE k.cube = 'repo' AND r.repo IS NULL"""
# A prefix that is of several versions is a mistake: one of them is taken, always the same.
_KNOWN = """UPDATE stat_release SET release = m.release
    FROM (SELECT r.prefix AS repo,
            min(p.name || ' ' || coalesce(nullif(v.display_name, ''), v.name)) AS release
        FROM repository r JOIN version v ON v.id = r.version_id
            JOIN product p ON p.id = v.product_id
        WHERE r.prefix <> '' AND v.name <> '' GROUP BY r.prefix) m
    WHERE m.repo = stat_release.repo AND m.release <> stat_release.release"""
_MAY_READ = "SELECT bool_and(has_table_privilege(n, 'SELECT')) FROM unnest(ARRAY[{names}]) AS n"

_OF_FEDORA = re.compile(r"fc?(\d+)")
_VERSION = re.compile(r"\d+(\.\d+)*")
_PRODUCTS = {"centos": "CentOS", "epel": "EPEL", "fedora": "Fedora"}


def write(link: Link) -> None:
    """Note the release of each repository that is counted; after their keys were written."""
    unnamed = link.query(_UNNAMED)
    link.load("stat_release", ["repo", "release"], ((repo, by_name(repo)) for (repo,) in unnamed))
    if _may_ask_mirrormanager(link):
        link.execute(_KNOWN)


def all_of(link: Link) -> dict[str, str]:
    """Return the release of each repository that is counted."""
    found = link.query("SELECT repo, release FROM stat_release")
    return {repo: texts.fit(release, link.safe_codec()) for repo, release in found}


def _may_ask_mirrormanager(link: Link) -> bool:
    if not {*_MIRRORMANAGERS} <= link.tables(_MIRRORMANAGERS):
        return False
    names = ", ".join(f"'{name}'" for name in _MIRRORMANAGERS)
    return link.kind != POSTGRESQL or bool(link.query(_MAY_READ.format(names=names))[0][0])


def by_name(repo: str) -> str:
    """Return the release that a repository's name says; what stands in brackets stays."""
    if repo.startswith("("):
        return repo
    words = repo.split("-")
    of_fedora = [found[1] for word in words if (found := _OF_FEDORA.fullmatch(word))]
    if of_fedora:
        return f"Fedora {of_fedora[-1]}"
    if "rawhide" in words:
        return "Fedora rawhide"
    places = [n for n, word in enumerate(words) if n and _VERSION.fullmatch(word)]
    if not places:
        return NO_RELEASE
    version = words[places[-1]] + ("-stream" if "stream" in words[places[-1] :] else "")
    return f"{_PRODUCTS.get(words[0], words[0])} {version}"
