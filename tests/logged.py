"""A request as the log has it: when, what, and its line."""

from mirrorlist.records.logline import LogEntry
from mirrorlist.request.address import Address

NOW = 1795305599.9


ENTRY = LogEntry(Address(4, 0xC0000201), "DE", "rawhide", "x86_64")


LINE = b"IP: 192.0.2.1; DATE: 2026-11-21; COUNTRY: DE; REPO: rawhide; ARCH: x86_64\n"
