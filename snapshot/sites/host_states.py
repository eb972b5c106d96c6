"""What is known of a mirror: which lists it is in, since when not and why, its last answers."""

from msgspec import Struct


class Drain(Struct, frozen=True):
    """Why a mirror is out of the lists for a while; times in seconds since 1970."""

    since: int
    """When it left the lists."""
    until: int
    """When it comes back."""
    reason: str
    """Why it was taken out."""


class FileAnswer(Struct, frozen=True):
    """What a URL answered for a repository's repomd.xml or checked file."""

    repository: str
    """What clients ask for, and the arch."""
    url: str
    """The URL that was asked."""
    verdict: str
    """`current`, `alternate`, `behind`, `partial`, `wrong`, `missing`, `ahead`, `unsure` or
    `unreachable`."""
    since: int
    """Since when it is so, in seconds since 1970."""
    timestamp: int | None
    """The newest time in the file that it gave last, in seconds since 1970."""
    sha256: str
    """The sum of the file that it gave last; empty if it never gave one."""


class HostUrl(Struct, frozen=True):
    """A URL of a mirror, and how it answered; times in seconds since 1970."""

    url: str
    """As the file has it."""
    offered: bool
    """Whether it is in lists."""
    since: int | None
    """When it left the lists or came back last."""
    checked: int | None
    """When it was asked last; null if it never was."""
    good: int | None
    """When it last had something up to date."""
    failures: int
    """Tries in a row without any answer."""
    error: str | None
    """What is wrong with it."""
    tls_expires: int | None
    """When its certificate ends."""
    ipv4: str | None
    """What is wrong over IPv4, or an empty text; null if IPv4 and IPv6 were not asked apart."""
    ipv6: str | None
    """The same of IPv6."""


class HostState(Struct, frozen=True):
    """Whether clients are offered a mirror, since when not, and why."""

    name: str
    """Its name in the file."""
    site: str
    """The site of the file that has it."""
    country: str
    """In two letters of ISO 3166."""
    private: bool
    """Whether only clients in its netblocks and ASN get it."""
    offered: list[str]
    """The repositories that it is offered for: what clients ask for, and the arch."""
    not_offered: list[str]
    """The other repositories of its trees."""
    since: int | None
    """Since when it is not offered for some repositories, in seconds since 1970; null if it is
    offered for all, or if that is not known."""
    why: list[str]
    """Why it is not."""
    drained: Drain | None
    """Whether somebody took it out of the lists for a while."""
    urls: list[HostUrl]
    """All of its URLs, those of ftp too, which are never asked."""
    files: list[FileAnswer]
    """Its last answers."""
