"""Run by the distribution's Python: librepo downloads from one list; JSON in, JSON out.

In: {"kind": "metalink" or "mirrorlist", "url": URL, "headers": list of header lines, "folder":
path, "only_list": bool}.
Out: the fields of `tests.clients.librepo.Report`.
"""

import json
import sys

import librepo  # type: ignore[import-not-found,unused-ignore]

OPTIONS = {"metalink": "metalinkurl", "mirrorlist": "mirrorlisturl"}


def main() -> None:
    """Read the order from standard input, obey it, and say what happened."""
    order = json.load(sys.stdin)
    handle = librepo.Handle()
    handle.repotype = librepo.YUMREPO
    handle.destdir = order["folder"]
    handle.checksum = True
    handle.fetchmirrors = order["only_list"]
    handle.httpheader = order["headers"]
    setattr(handle, OPTIONS[order["kind"]], order["url"])
    error = None
    try:
        handle.perform(librepo.Result())
    except librepo.LibrepoException as exception:
        error = exception.args[1]
    metalink = handle.metalink or {}
    report = {
        "mirrors": handle.mirrors or [],
        "preferences": [url["preference"] for url in metalink.get("urls", [])],
        "timestamp": metalink.get("timestamp", 0),
        "size": metalink.get("size", 0),
        "hashes": dict(metalink.get("hashes", [])),
        "alternates": [entry["timestamp"] for entry in metalink.get("alternates", [])],
        "error": error,
    }
    json.dump(report, sys.stdout)


main()
