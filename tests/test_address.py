"""Addresses as text, and the IPv4 address within a tunnelled one."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mirrorlist.request.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("192.0.2.1", Address(4, 0xC0000201), id="IPv4"),
        pytest.param("0.0.0.0", Address(4, 0), id="lowest IPv4"),
        pytest.param("255.255.255.255", Address(4, 0xFFFFFFFF), id="highest IPv4"),
        pytest.param("::", Address(6, 0), id="lowest IPv6"),
        pytest.param("2001:DB8::1", Address(6, 0x20010DB8 << 96 | 1), id="IPv6 in capitals"),
        pytest.param("::ffff:192.0.2.1", Address(4, 0xC0000201), id="mapped"),
        pytest.param("::ffff:c000:201", Address(4, 0xC0000201), id="mapped in hexadecimal"),
        pytest.param("::fffe:c000:201", Address(6, 0xFFFEC0000201), id="just below mapped"),
        pytest.param("::192.0.2.1", Address(6, 0xC0000201), id="not mapped but compatible"),
        pytest.param("64:ff9b::192.0.2.1", Address(6, (0x64FF9B << 96) | 0xC0000201), id="NAT64"),
        pytest.param("fe80::1%eth0", Address(6, (0xFE80 << 112) | 1), id="with a zone"),
        *(
            pytest.param(text, None, id=f"junk {text!r}"[:30])
            for text in (
                "",
                "192.0.2.1%eth0",
                " ",
                "1",
                "1.2.3",
                "1.2.3.4.5",
                "1.2.3.4 ",
                "01.2.3.4",
                "1.2.3.0x4",
                "1.2.3.4/32",
                "1.2.3.-4",
                ":",
                ":::",
                "1::2::3",
                "12345::",
                "g::",
                "[::1]",
                "::1/128",
                "::ffff:1.2.3",
                "localhost",
                "1.2.3.4\0",
                "\0",
                "\ud800",
                "\u0661.2.3.4",
                "é",
            )
        ),
    ],
)
def test_parse(text: str, expected: Address | None) -> None:
    """An address is read in every usual form; everything else is None."""
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2002:c000:201::1", "192.0.2.1", id="6to4"),
        pytest.param("2002:c000:201:ffff:ffff:ffff:ffff:ffff", "192.0.2.1", id="6to4, any host"),
        pytest.param("2003:c000:201::1", "2003:c000:201::1", id="just outside 6to4"),
        # RFC 4380 section 4 and 5.2.3: the client's address has all its bits inverted.
        pytest.param("2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45", id="Teredo"),
        pytest.param("2001:0:ffff:ffff:ffff:ffff:0:0", "255.255.255.255", id="Teredo, highest"),
        pytest.param("2001::ffff:ffff", "0.0.0.0", id="Teredo, lowest"),
        pytest.param("2001:1::ffff:ffff", "2001:1::ffff:ffff", id="just outside Teredo"),
        pytest.param("2001:db8::1", "2001:db8::1", id="plain IPv6"),
        pytest.param("192.0.2.1", "192.0.2.1", id="IPv4"),
        pytest.param("32.2.192.0", "32.2.192.0", id="IPv4 with 6to4's number"),
    ],
)
def test_tunnelled(text: str, expected: str) -> None:
    """The IPv4 address within a 6to4 or Teredo address; any other address itself."""
    address = parse_address(text)
    assert address is not None
    assert str(address.tunnelled) == expected


@given(st.ip_addresses())
@example(ipaddress.IPv6Address("::1.2.3.4"))
@example(ipaddress.IPv6Address("::1:0:0"))
@example(ipaddress.IPv6Address("1:0:2:3:4:5:6:7"))
@example(ipaddress.IPv6Address("1:0:0:2:0:0:3:4"))
def test_text_and_back(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Every address in its shortest form is read as the standard library does, and written so."""
    parsed = parse_address(str(address))
    assert parsed is not None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    expected = mapped or address
    assert parsed == (expected.version, int(expected))
    assert str(parsed) == str(expected)
    assert parse_address(str(parsed)) == parsed


@given(st.ip_addresses(v=6))
def test_long_form(address: ipaddress.IPv6Address) -> None:
    """The long form of an IPv6 address is the same address."""
    assert parse_address(address.exploded) == parse_address(str(address))


@given(st.text(max_size=50))
def test_any_text(text: str) -> None:
    """Any text is an address or None."""
    parsed = parse_address(text)
    assert parsed is None or parsed.version in (4, 6)


@given(st.ip_addresses(v=4))
def test_tunnels_of_any_address(address: ipaddress.IPv4Address) -> None:
    """Each IPv4 address is found again in its 6to4 and Teredo forms."""
    to4 = Address(6, 0x2002 << 112 | int(address) << 80 | 1)
    teredo = Address(6, 0x20010000 << 96 | 1 << 64 | ~int(address) & 0xFFFFFFFF)
    assert to4.tunnelled == teredo.tunnelled == Address(4, int(address))
