"""Sites whose mirrors are those of a farm, and their probes."""

from pathlib import Path

from snapshot.sites.getting import Limits
from snapshot.sites.load import load
from snapshot.sites.probe import probe
from snapshot.sites.verdict_rows import ProbedUrl
from tests.mirror_farm import Farm
from tests.small_sites import HEAD, applied, write

OLD, NEW, NOW = 1_790_000_000, 1_790_000_100, 1_800_000_000
LIMITS = Limits(pause=0)


def farm_site(folder: Path, farm: Farm, **mirrors: list[str]) -> Path:
    """Apply a file of mirrors, each with URLs of the farm; return the file."""
    tables = [
        f'[[mirror]]\nname = "{name}"\ncountry = "DE"\nurls = [{_urls(farm, names)}]\n'
        for name, names in mirrors.items()
    ]
    file = write(folder, HEAD + "".join(tables))
    applied(database(file), file)
    return file


def _urls(farm: Farm, names: list[str]) -> str:
    return ", ".join(f'"{farm.url(name)}"' for name in names)


def database(file: Path) -> str:
    """Return the database of a file."""
    return f"sqlite:///{file.parent / 'm.db'}"


def probed(file: Path, now: int = NOW, limits: Limits = LIMITS) -> dict[str, ProbedUrl]:
    """Probe a site; return its URLs, by the last part of each."""
    about = (database(file), load(file).config, file.parent, "test", lambda *done: None, now)
    return {one.url.rpartition("/")[2]: one for one in probe(*about, limits=limits).mirrors}
