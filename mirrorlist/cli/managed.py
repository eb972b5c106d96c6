"""Finds out whether systemd, or a program like it, wants to be told the state of this process."""

import os

from mirrorlist.process.manager import Manager


def manager_of() -> Manager:
    """Return what tells the state of this process, which is nothing unless it was asked for."""
    if "NOTIFY_SOCKET" not in os.environ:
        return Manager()
    # Imported here, because most processes never need it.
    from mirrorlist.process.systemd import Systemd

    return Systemd(os.environ)
