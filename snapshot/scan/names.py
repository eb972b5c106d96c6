"""Which files a scan reads, beside their names: metadata of repositories, and checksum files."""

REPOMD, SUMMARY = "repomd.xml", "summary"
REPODATA, OBJECTS = "repodata", "objects"
"""The directories beside which a repository is: of rpm packages, and of ostree."""

_BY_SUFFIX = {
    "-CHECKSUM": "sha256",
    ".sha1sum": "sha1",
    ".md5sum": "md5",
    ".sha256sum": "sha256",
    ".sha512sum": "sha512",
}
_BY_NAME = {
    **{f"{kind.upper()}SUM": kind for kind in ("md5", "sha1", "sha256", "sha512")},
    **{f"{kind.upper()}SUMS": kind for kind in ("md5", "sha1", "sha256", "sha512")},
    **{f"{kind}sum.txt": kind for kind in ("md5", "sha1", "sha256", "sha512")},
}
_ENDINGS = ("SUM", "SUMS", "sum", "sum.txt")


def sum_of(name: str) -> str | None:
    """Return the sum of a checksum file's lines that do not name theirs; None for other files."""
    # Nearly all names end here.
    if not name.endswith(_ENDINGS):
        return None
    for suffix, kind in _BY_SUFFIX.items():
        if name.endswith(suffix):
            return kind
    return _BY_NAME.get(name)


def is_read(name: str) -> bool:
    """Whether a scan may read a file of this name."""
    return name in (REPOMD, SUMMARY) or sum_of(name) is not None
