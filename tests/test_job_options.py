"""The options of the commands that write a snapshot become one `Job`."""

import inspect
from pathlib import Path

import pytest

from mirrorlist.cli import cli
from mirrorlist.cli.job_options import JobOptions
from mirrorlist.settings.table import SETTINGS
from snapshot.export.asn_file import AsnFile
from snapshot.export.job import Job

COMMANDS = ("export", "import-cache", "watch")
OUTPUT = Path("mm.snap")


def options(**given: object) -> JobOptions:
    """Return the options of an export as click gives them, with some of another value."""
    values = {
        setting.name: () if setting.repeatable else setting.default
        for setting in SETTINGS
        if "export" in setting.commands and setting.name in JobOptions.__struct_fields__
    }
    return JobOptions(**{**values, "output": OUTPUT, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_setting_arrives(command: str) -> None:
    """Each setting of a command is its function's own argument, or a field of the options."""
    function = inspect.unwrap(cli.commands[command].callback or len)
    own = inspect.signature(function).parameters.keys() - {"given"}
    settings = {setting.name for setting in SETTINGS if command in setting.commands}
    assert settings - own <= set(JobOptions.__struct_fields__)
    needed = set(JobOptions.__struct_fields__[: -len(JobOptions.__struct_defaults__)])
    assert needed <= settings - own


def test_defaults() -> None:
    """Without any option but --output, a job is the one that programs get by default."""
    assert options().job() == Job(OUTPUT)


def test_a_job(tmp_path: Path) -> None:
    """Each option decides about its own part of the job."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"k" * 32)
    given = options(
        asn=Path("asn.txt"),
        country_continent=Path("more.csv"),
        dns=False,
        allow_wide_netblocks=True,
        max_loss=7,
        snapshot_key=secret,
        require=("repo=epel-9&arch=x86_64", "path=/pub//epel/"),
    )
    job = given.job(refresh=300)
    assert isinstance(job.asn, AsnFile)
    assert job.data_files == [Path("asn.txt"), Path("more.csv")]
    assert (job.resolve_dns, job.allow_wide, job.max_loss, job.refresh) == (False, True, 7, 300)
    assert job.key is not None
    assert not job.foreign
    assert [(one.path, one.repo, one.arch) for one in job.required] == [
        (None, "epel-9", "x86_64"),
        ("pub/epel", "", ""),
    ]
    forced = options(force=True).job()
    assert forced.max_loss is None
    assert forced.foreign
