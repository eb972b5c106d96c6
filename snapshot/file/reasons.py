"""Why a host is not offered: each rule by a name for programs, and by a sentence for people.

Programs read the name; only people read the sentence, whose words may change.
"""

from enum import StrEnum

from snapshot.file.model import CategoryHost, Host, Inactive


class Reason(StrEnum):
    """The rules that keep a host out of a list, in the order in which they are asked.

    The file says the first four of a directory; the others depend on who asks, and how.
    """

    INACTIVE = "inactive"
    NO_CATEGORY = "no-category"
    NO_PUBLIC_URL = "no-public-url"
    NOT_UP_TO_DATE = "not-up-to-date"
    NO_FITTING_URL = "no-fitting-url"
    PRIVATE = "private"
    OTHER_COUNTRIES = "other-countries"
    COUNTRY_NOT_ASKED = "country-not-asked"
    ENOUGH_NEARER = "enough-nearer"


# The detail of a reason replaces the braces.
_SENTENCES = {
    Reason.INACTIVE: "inactive: switched off {}",
    Reason.NO_CATEGORY: "does not carry the category {}",
    Reason.NO_PUBLIC_URL: "has no public URL for this category",
    Reason.NOT_UP_TO_DATE: "not up to date in this directory",
    Reason.NO_FITTING_URL: "has no URL {}",
    Reason.PRIVATE: "private: only for clients of its own netblocks and ASNs",
    Reason.OTHER_COUNTRIES: "only for clients from {}",
    Reason.COUNTRY_NOT_ASKED: "which was not asked for",
    Reason.ENOUGH_NEARER: (
        "at least {} nearer hosts are listed, so the global tier was not needed"
    ),
}
# All hosts of a country share these reasons, so the country's name stands before the sentence.
_OPENINGS = {
    Reason.COUNTRY_NOT_ASKED: "in {}, ",
    Reason.ENOUGH_NEARER: "in {}: ",
}
_SWITCHED_OFF = {
    Inactive.HOST_ADMIN: "the host by an administrator",
    Inactive.HOST_USER: "the host by its owner or the crawler",
    Inactive.SITE_ADMIN: "the site by an administrator",
    Inactive.SITE_USER: "the site by its owner",
}


def sentence(reason: Reason, detail: object = "") -> str:
    """Return a reason for people; `detail` is what the rule names: a category, countries."""
    return _SENTENCES[reason].format(detail)


def opening(reason: Reason, country: str) -> str:
    """Return the text before the sentence of a reason that a whole country has, else ""."""
    return _OPENINGS.get(reason, "").format(country)


def is_of_country(reason: Reason) -> bool:
    """Return whether all hosts of a country have a reason together."""
    return reason in _OPENINGS


def switched_off(flags: int) -> str:
    """Return the detail of INACTIVE: which flags are off, and who sets them."""
    return " and ".join(text for flag, text in _SWITCHED_OFF.items() if flags & flag)


def not_exported(host: Host, member: CategoryHost) -> tuple[Reason, str]:
    """Return why a host is not in a host set of its category, with the detail."""
    if host.inactive:
        return Reason.INACTIVE, switched_off(host.inactive)
    return (Reason.NOT_UP_TO_DATE if member.urls else Reason.NO_PUBLIC_URL), ""
