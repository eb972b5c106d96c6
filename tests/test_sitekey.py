"""Marks of addresses: SipHash as its authors define it, of many addresses at once."""

import resource
import signal
from pathlib import Path

import numpy as np
import pytest

from mirrorlist.errors import StartError
from mirrorlist.records.sitekey import SiteKey, siphash, site_key

KEY = bytes(range(16))
# The authors' test vector of 16 bytes: https://github.com/veorq/SipHash, vectors.h.
OF_16_BYTES = bytes.fromhex("db9bc2577fcc2a3f")


def test_the_authors_vector() -> None:
    """The hash of the authors' message is theirs."""
    message = np.frombuffer(bytes(range(16)), "<u8").reshape(-1, 2)
    assert siphash(KEY, message).astype("<u8").tobytes() == OF_16_BYTES


def test_many_at_once() -> None:
    """Each of many messages has the hash that it has alone."""
    messages = np.arange(200, dtype=np.uint64).reshape(-1, 2) * np.uint64(2**61 + 7)
    alone = [siphash(KEY, messages[at : at + 1])[0] for at in range(100)]
    assert siphash(KEY, messages).tolist() == alone


def test_marks() -> None:
    """Marks fit a sketch, that of no address is 0, and they differ by day and by secret."""
    blocks = b"".join(number.to_bytes(16, "big") for number in range(1000))
    key = SiteKey(b"secret")
    marks = key.marks(0, blocks)
    assert marks[0] == 0
    assert (marks[1:] > 0).all()
    assert (marks < 2**63).all()
    assert len(set(marks.tolist())) == 1000
    for other in (key.marks(86400, blocks), SiteKey(b"other").marks(0, blocks)):
        assert (other[1:] != marks[1:]).all()
    assert key.marks(0, b"").tolist() == []


def test_a_full_disk_leaves_no_empty_secret(tmp_path: Path) -> None:
    """The start fails in a line, and the next one does not find half of a secret."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(StartError, match="cannot be written: File too large"):
            site_key(None, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert site_key(None, tmp_path).id == site_key(None, tmp_path).id
