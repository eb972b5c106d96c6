"""Requests to the hook of `scan --watch`, signed as its page says."""

import hashlib
import hmac

SECRET = b"a secret of some bytes"


def signed(text: bytes, secret: bytes = SECRET) -> bytes:
    """Return the signature of a text."""
    return b"sha256=" + hmac.new(secret, text, hashlib.sha256).hexdigest().encode()


def sent(body: bytes = b"", query: bytes = b"", **changes: bytes) -> bytes:
    """Return the bytes of a request."""
    given = {"signature": signed(body or query), "length": b"%d" % len(body), **changes}
    lines = [b"POST /hook%s HTTP/1.1" % (b"?" + query if query else b""), b"Host: test"]
    lines += [b"Connection: close", b"Content-Length: " + given["length"]]
    if given["signature"]:
        lines.append(b"X-Hub-Signature-256: " + given["signature"])
    return b"\r\n".join([*lines, b"", body])
