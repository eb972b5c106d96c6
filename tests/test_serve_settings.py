"""`ServeSettings` has the settings and the defaults of the table of settings."""

from msgspec import NODEFAULT
from msgspec.structs import fields

from mirrorlist.settings.defaults import NOWHERE
from mirrorlist.settings.table import SETTINGS
from mirrorlist.workers.serve_settings import ServeSettings

# On purpose: the demo and the load tests choose their own address, and run no watch beside it.
OWN = {"host": (), "port": 0, "watch_admin": NOWHERE}


def test_each_setting_has_a_field() -> None:
    """The struct has a field for each setting of `serve`, and no other."""
    settings = {setting.name for setting in SETTINGS if "serve" in setting.commands}
    assert settings == set(ServeSettings.__struct_fields__)


def test_defaults() -> None:
    """A default that two tables say is the same in both."""
    found = {field.name: field.default for field in fields(ServeSettings)}
    table = {}
    for setting in SETTINGS:
        if setting.name in found:
            empty = () if setting.repeatable else None
            required = NODEFAULT if setting.required else empty
            table[setting.name] = required if setting.default is None else setting.default
    assert found == {**table, **OWN}
