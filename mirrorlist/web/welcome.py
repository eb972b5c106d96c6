"""The page for people who open the public port in a browser: what this server is, and links.

For programs the path stays unknown, as with mirrorlist-server. The page names the admin listener in
the demo alone, which runs on its visitor's own machine.
"""

import base64
import hashlib
from html import escape
from urllib.parse import quote

from mirrorlist.catalog.catalog import Catalog

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:0 auto;padding:1rem}"
    "h1{font-size:1.5rem}li{margin:.6rem 0}a{overflow-wrap:anywhere}"
)
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
PATHS = ("/", "/status")


def welcome(catalog: Catalog, status_page: str | None) -> bytes:
    """Return the page as HTML; `status_page` is a URL to link to, if visitors may know it."""
    links = [*_examples(catalog), ("/repositories", "all repositories that can be asked for")]
    links.append(("/health/ready", "the data in use, and how old they are"))
    if status_page:
        links.append((status_page, "how this server is"))
    rows = "".join(
        f'<li>{escape(text)}:<br><a href="{escape(url)}">{escape(url)}</a></li>'
        for url, text in links
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>mirrorlist</title><style>{_STYLE}</style></head><body><h1>mirrorlist</h1>"
        "<p>A mirror list server: it tells package managers such as dnf, yum and zypper which"
        f" mirrors near them have a repository.</p><ul>{rows}</ul></body></html>\n"
    ).encode(errors="replace")


def _examples(catalog: Catalog) -> list[tuple[str, str]]:
    known = (one for one in catalog.snapshot.repositories if one.prefix not in catalog.disabled)
    first = next(known, None)
    if first is None:
        return []
    query = f"repo={quote(first.prefix)}&arch={quote(first.arch)}"
    return [
        (f"/mirrorlist?{query}", "a list of mirrors"),
        (f"/metalink?{query}", "the same with checksums, as package managers ask for it"),
        (f"/explain?{query}", "why these mirrors"),
    ]
