"""The errors of the server, as a tree.

MirrorlistError
├── QueryError          the client's mistake: an answer with a status
│   ├── BadQuery (400)      a value that cannot be understood or is over its limit
│   ├── Unspecified (200)   neither path= nor repo= and arch=, as mirrorlist-server answers
│   ├── Disabled (200)      a disabled repository, as mirrorlist-server answers
│   ├── Unavailable (200)   the server's own fault: the answer could not be made
│   └── NotFound (404)      no such directory or file
│       ├── UnknownDirectory    no such directory
│       ├── UnknownRepository   no such repository
│       └── NoDetails           no checksums are known of the file that a metalink is asked for
└── OperatorError       stops the start with its exit code
    ├── OptionError (2)     an option's value that cannot be used
    ├── GeoipError (3)      a GeoIP file that cannot be used
    └── StartError (1)      a port in use, a log that cannot be written
"""


class MirrorlistError(Exception):
    """Any error of the server."""


class QueryError(MirrorlistError):
    """A client's mistake; its text is the body of the answer."""

    status = 400


class BadQuery(QueryError):
    """A parameter that cannot be understood or is over its limit."""


class Unspecified(QueryError):
    """A query that does not say what it asks for."""

    status = 200


class Disabled(QueryError):
    """A query for a disabled repository."""

    status = 200


class Unavailable(QueryError):
    """An internal error, not the client's mistake.

    The status is 200, because librepo repeats the request at once after any other status.
    """

    status = 200


class NotFound(QueryError):
    """A query for something that the snapshot does not have."""

    status = 404


class UnknownDirectory(NotFound):
    """A query for a directory that the snapshot does not have."""


class UnknownRepository(NotFound):
    """A query for a repository and an arch that the snapshot does not have."""


class NoDetails(NotFound):
    """A query for the metalink of a file that is known, but whose checksums are not."""


class OperatorError(MirrorlistError):
    """An operator's mistake or trouble; its text is one line that says what to do next.

    `more` are further lines, such as names that were probably meant.
    """

    exit_code = 1
    more: tuple[str, ...] = ()


class OptionError(OperatorError):
    """An option whose value cannot be used."""

    exit_code = 2


class GeoipError(OperatorError):
    """A GeoIP file that cannot be used."""

    exit_code = 3


class StartError(OperatorError):
    """A resource that the server needs at startup is not available."""
