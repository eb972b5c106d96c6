"""`POST /hook` of `mirrorlist scan --watch`: a signed request that asks for a scan of a path.

The fields `category`, `path` and `timestamp` are in the body or in the query, encoded as by a form.
The header `X-Hub-Signature-256: sha256=HEX` has the HMAC-SHA256 of the body, or of the query if
there is no body, as GitHub signs a body.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from msgspec import Struct

from mirrorlist.status.admin import Asked, Reply
from mirrorlist.web.bodied import MAX_BODY_BYTES
from snapshot.file.errors import BackendError

HOOK_PATH = "/hook"
SIGNATURE = "x-hub-signature-256"
_KIND = "sha256="
TIMELY_SECONDS = 300
"""How far a `timestamp` may be from this machine's clock."""
LEAST_SECRET_BYTES = 16
FIELDS = ("category", "path", "timestamp")

Take = Callable[[str, str], object]


class Refused(Exception):
    """A client's mistake: the status and the line that it is answered with."""

    def __init__(self, status: int, why: str) -> None:
        """Take both."""
        super().__init__(why)
        self.status = status


class Hooks(Struct):
    """The counts of the hook since the start."""

    accepted: int = 0
    refused: int = 0


class SignedHook:
    """Answers the hook; `take` gets the category and the path of each accepted request."""

    def __init__(
        self, secret: bytes | None, take: Take, clock: Callable[[], float] = time.time
    ) -> None:
        """Take the secret; without one every request is refused."""
        self.counts = Hooks()
        self._secret, self._take, self._clock = secret, take, clock

    def answer(self, asked: Asked) -> Reply:
        """Answer a request: 202 if a scan follows, or a status of 400 to 499 and the reason."""
        try:
            category, path = self._fields(asked)
        except Refused as refused:
            self.counts.refused += 1
            return Reply(refused.status, f"{refused}.\n".encode(errors="replace"))
        self.counts.accepted += 1
        return Reply(202, f"A scan of {category}{path and ': '}{path} follows.\n".encode())

    def _fields(self, asked: Asked) -> tuple[str, str]:
        signed = self._verified(asked)
        fields = _parsed(signed)
        if "timestamp" in fields:
            _check_time(fields["timestamp"], self._clock())
        if not fields.get("category"):
            raise Refused(400, "The field category is missing")
        category, path = fields["category"], fields.get("path", "")
        try:
            self._take(category, path)
        except BackendError as error:
            raise Refused(400, str(error)) from error
        return category, path.strip("/")

    def _verified(self, asked: Asked) -> bytes:
        """Return what is signed, once its signature is verified."""
        if self._secret is None:
            raise Refused(403, "No request is taken here: this scan has no --hook-secret")
        if asked.length is None:
            raise Refused(411, "The body must be announced by Content-Length")
        if asked.length > MAX_BODY_BYTES:
            raise Refused(413, f"The body is longer than {MAX_BODY_BYTES:,} bytes")
        if asked.body and asked.query:
            raise Refused(400, "There are fields in the query and in the body: use one of them")
        signed = asked.body or asked.query
        given = asked.headers.get(SIGNATURE, "").strip()
        if not given:
            raise Refused(403, f"The header {SIGNATURE} is missing")
        if not given.startswith(_KIND):
            raise Refused(403, f"The header {SIGNATURE} does not begin with {_KIND}")
        digest = hmac.new(self._secret, signed, hashlib.sha256).hexdigest()
        # Bytes, because compare_digest refuses text that is not ASCII.
        sent = given.removeprefix(_KIND).lower().encode("utf-8", "replace")
        if not hmac.compare_digest(digest.encode(), sent):
            raise Refused(403, "The signature is not that of this request and this secret")
        return signed


def _parsed(signed: bytes) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(signed.decode(), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise Refused(400, "The fields are not UTF-8, encoded as by a form") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refused(400, "A field is there twice")
    unknown = [name for name in fields if name not in FIELDS]
    if unknown:
        raise Refused(400, f"The fields are {', '.join(FIELDS)}, and no others")
    return fields


def _check_time(text: str, now: float) -> None:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise Refused(400, "The field timestamp is not a number of seconds since 1970")
    if abs(now - int(text)) > TIMELY_SECONDS:
        raise Refused(403, f"The timestamp is more than {TIMELY_SECONDS} s from the clock here")
