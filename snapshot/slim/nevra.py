"""What a package is called: its name, epoch, version, release and arch, in dnf's word its NEVRA."""

import re

_NEVRA = re.compile(r"(.+)-(?:([0-9]+):)?([^-:]+)-([^-]+)\.([^.]+)")

Nevra = tuple[str, str, str, str, str]
"""Name, epoch, version, release, arch; the epoch is 0 if it is not given."""


def nevra_of(text: str) -> Nevra | None:
    """Return the parts of `NAME-EPOCH:VERSION-RELEASE.ARCH`; None for any other text."""
    found = _NEVRA.fullmatch(text)
    return (found[1], found[2] or "0", found[3], found[4], found[5]) if found else None
