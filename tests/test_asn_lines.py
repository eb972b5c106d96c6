"""Plain ASN lines are read in blocks, with the same result as line by line."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.export.asn import read_asn_netblocks
from snapshot.export.asn_lines import plain_networks
from snapshot.export.leftout import LeftOutRows
from snapshot.file.errors import DataFileError

ADDRESSES = [
    *("192.0.2.0", "192.0.2.77", "10.0.0.0", "255.255.255.255", "0.0.0.0", "192.0.2", "1e.2.3.4"),
    *("2001:db8::", "::", "::1", "::ffff:192.0.2.0", "::FFFF:0:0", "0:0:0:0:0:ffff:c000:200"),
    *("2001:db8::1.2.3.4", ":", "", "ffff::", "0::ffff:ffff:0:0", "192.0.02.0", "g::"),
]
LENGTHS = ["24", "32", "128", "0", "33", "96", "129", "024", "+8", "-1", "2_4", "", "8e", "64"]
ASNS = ["64500", "1", "4294967295", "4294967296", "AS64500", "64500_1", "1.5", "0", "", "abc"]
BETWEEN = [" ", "\t", "  ", "", " \r", "\x0b", "\0"]
ENDS = ["\n", "\n\n", "\r\n", " \n", " x\n", "\r"]

PLAIN = st.tuples(
    *map(st.sampled_from, (ADDRESSES[:3], ["/"], LENGTHS[:2], BETWEEN[:2], ASNS[:3], ENDS[:1]))
)
ODD = st.tuples(*map(st.sampled_from, (ADDRESSES, ["/"], LENGTHS, [" "], ASNS[:3], ["\n"])))
ANY = st.tuples(*map(st.sampled_from, (ADDRESSES, ["/", "", "//"], LENGTHS, BETWEEN, ASNS, ENDS)))
# Text that is not plain is rare, or nearly no block would be.
LINES = st.lists(st.one_of(*[PLAIN] * 6, ODD, ANY).map("".join), min_size=1, max_size=8)
NEEDED = {0, 1, 64500, 0xABC, 4294967295}


def _read(folder: str, content: str) -> object:
    """Return the ranges, and the numbers of lines left out; or the error."""
    path, left_out = Path(folder, "asn"), LeftOutRows()
    path.write_bytes(content.encode())
    try:
        ranges = read_asn_netblocks(path, left_out).ranges(NEEDED)
    except DataFileError as error:
        return str(error)
    columns = [[*getattr(ranges, name)] for name in ranges.__struct_fields__]
    return columns, left_out.sorted()


@given(LINES)
def test_a_block_says_the_same_as_its_lines(lines: list[str]) -> None:
    """With a comment at its end, a block is read line by line; the result is the same."""
    text = "".join(lines)
    with TemporaryDirectory() as folder:
        assert _read(folder, text) == _read(folder, f"{text}\n#\n")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param("192.0.2.0/24 64500\n2001:db8::/32\t1\n", (1, 1), id="blank and tab"),
        pytest.param("192.0.2.1/32 0\n::/1 4294967295\n", (1, 1), id="limits"),
        pytest.param("", (0, 0), id="nothing"),
    ],
)
def test_plain_lines(text: str, count: tuple[int, int]) -> None:
    """What real files have is read as a block."""
    found = plain_networks(text.encode())
    assert found is not None
    assert (len(found.ipv4.asns), len(found.ipv6.asns)) == count
    assert len(found.ipv4.packed) == 4 * count[0]
    assert len(found.ipv6.packed) == 16 * count[1]


@pytest.mark.parametrize(
    "line",
    [
        *("192.0.2.0/24 64500", "\n", "#\n", "192.0.2.0/0 1\n", "::/0 1\n", "192.0.2.0/33 1\n"),
        *("::ffff:1.2.3.4/128 1\n", "192.0.2.0/24 1 2\n/ 1\n", "192.0.2.0/24 AS1\n", "a/1 1\n"),
        *("192.0.2.0/24 4294967296\n", "192.0.2.0/24\n1\n", "2001:db8::/129 1\n", "a b\n"),
    ],
)
def test_other_lines(line: str) -> None:
    """A block with any other line is refused, so it is read line by line."""
    assert plain_networks(line.encode()) is None
    assert plain_networks(f"192.0.2.0/24 1\n{line}".encode()) is None


def test_numbers_of_lines_in_later_blocks(tmp_path: Path) -> None:
    """A bad line is reported by its number in the file, whatever the blocks before it were."""
    plain = f"192.0.2.0/24 64500{' ' * 171}\n" * 6_000
    path, left_out = tmp_path / "asn", LeftOutRows()
    path.write_text(f"{plain}junk\n{plain}{plain}\njunk")
    assert os.path.getsize(path) > 3 << 20
    read_asn_netblocks(path, left_out)
    assert [row.id for row in left_out.sorted()] == [6_001, 18_003]
