"""Measurements that empty their database, and databases with other data."""

from pathlib import Path

import click
import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from loadtest.common.scratch import claim
from loadtest.packages.__main__ import _make as make_packages
from loadtest.packages.release import Release
from loadtest.packages.sums import _fill
from loadtest.scans.__main__ import _make as make_scans
from tests.packaged import X86, Rpm, Site, names


def test_an_empty_database() -> None:
    """An empty one is taken; from then on, measurements empty it as often as they like."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    for _ in range(2):
        claim(engine)
        make_packages(engine, Release(0.001))
        make_scans(engine)
    engine.dispose()


def test_other_data(tmp_path: Path) -> None:
    """A database with tables of somebody else, or with imported packages, stays as it is."""
    site = Site(tmp_path, X86)
    site.write(X86, Rpm("tea"))
    site.run()
    engine = create_engine(site.url)
    with pytest.raises(click.ClickException, match="give an empty database"):
        make_packages(engine, Release(0.001))
    with pytest.raises(click.ClickException, match="give an empty database"):
        make_scans(engine)
    with pytest.raises(click.ClickException, match=f"{X86} was imported by `packages import`"):
        _fill(site.url, [X86], 3)
    engine.dispose()
    assert names(site) == ["tea-1"]


def test_sums_again(tmp_path: Path) -> None:
    """Packages that a measurement of sums has made are made again."""
    site = Site(tmp_path, X86)
    for count in (3, 4):
        _fill(site.url, [X86], count)
        assert len(names(site)) == count
