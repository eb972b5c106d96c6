"""What can go wrong on the server's side.

MirrorlistError
├── QueryError          the client's mistake: an answer with a status
│   ├── BadQuery (400)      a value that cannot be understood or is too long
│   ├── Unspecified (200)   neither path= nor repo= and arch=, as mirrorlist-server answers
│   ├── Disabled (200)      a disabled repository, as mirrorlist-server answers
│   └── NotFound (404)      no such directory or file
│       ├── UnknownDirectory    no such directory
│       ├── UnknownRepository   no such repository
│       └── NoDetails           nothing is known of the file that a metalink is asked for
└── OperatorError       stops the start with its exit code
    ├── OptionError (2)     an option's value that cannot be used
    ├── GeoipError (3)      a GeoIP file that cannot be used
    └── StartError (1)      port in use, log not writable
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
    """Not the client's mistake but ours; 200, as librepo repeats any other status at once."""

    status = 200


class NotFound(QueryError):
    """A query for something that is not there."""

    status = 404


class UnknownDirectory(NotFound):
    """A query for a directory that is not there."""


class UnknownRepository(NotFound):
    """A query for a repository and an arch that are not there."""


class NoDetails(NotFound):
    """A query for the metalink of something that is there, and of which there are no checksums."""


class OperatorError(MirrorlistError):
    """An operator's mistake or trouble; its text is one line that says what to do next."""

    exit_code = 1


class OptionError(OperatorError):
    """An option whose value cannot be used."""

    exit_code = 2


class GeoipError(OperatorError):
    """A GeoIP file that cannot be used."""

    exit_code = 3


class StartError(OperatorError):
    """Something the server needs at its start is not to be had."""
