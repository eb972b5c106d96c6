"""Pages of HTML with their style inside: nothing from elsewhere, no script, all text escaped."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket

from mirrorlist.process.wording import duration, number
from mirrorlist.status.admin import Reply

_HTML = "text/html; charset=utf-8"
STYLE = ("style.css",)
"""The style of all pages."""


def made(
    environment: Environment,
    template: str,
    values: Mapping[str, object],
    status: int = 200,
    style: tuple[str, ...] = STYLE,
) -> Reply:
    """Return a page with its style, and the policy that allows this style alone.

    Without a time to `refresh` after, the page may have forms, which are answered by itself.
    """
    sheet = _sheet(style)
    given = {"refresh": 0, **values, "style": sheet}
    text = environment.get_template(template).render(given)
    headers = _headers(sheet, "'none'" if given["refresh"] else "'self'")
    return Reply(status, text.encode(errors="replace"), _HTML, headers)


def make_environment() -> Environment:
    """Return what makes pages of the templates, in which each text is escaped."""
    environment = Environment(
        loader=PackageLoader("mirrorlist.status"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(duration=duration, number=number)
    return environment


class CompiledTemplates(BytecodeCache):
    """Takes compiled templates from a dictionary by their key, and puts new ones into it."""

    def __init__(self, found: dict[str, bytes]) -> None:
        """Take the dictionary."""
        self._found = found

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take a template; jinja2 compares its checksum with the source."""
        if (found := self._found.get(bucket.key)) is not None:
            bucket.bytecode_from_string(found)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Put a template."""
        self._found[bucket.key] = bucket.bytecode_to_string()


@cache
def _sheet(names: tuple[str, ...]) -> str:
    folder = files("mirrorlist.status") / "templates"
    return "".join((folder / name).read_text(encoding="utf-8") for name in names)


@cache
def _headers(sheet: str, forms: str) -> tuple[tuple[str, str], ...]:
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action {forms};"
        " frame-ancestors 'none'"
    )
    return (
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    )
