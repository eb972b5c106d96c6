"""Draws a run of `loadtest.exports`, such as in `loadtest/runs`.

    python -m loadtest.exports.plot runs/exports.json exports.svg

Needs matplotlib: `pip install -e '.[plots]'`.
"""

from pathlib import Path

import click
import matplotlib
import msgspec
from matplotlib import pyplot

from loadtest.exports.__main__ import ExportFigures, ExportsRun

# MirrorManager's exporter (f199d1f) on the same machine and databases, best of five: million
# rows, seconds, MB.
_THEIRS = ((2.34, 2.24, 386.0), (9.71, 12.91, 1329.0))


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("picture", type=click.Path(path_type=Path))
def main(run: Path, picture: Path) -> None:
    """Draw wall time and peak memory against the rows of host_category_dir."""
    # Equal input, equal picture.
    matplotlib.rcParams.update({"svg.hashsalt": "exports", "svg.fonttype": "none"})
    found = msgspec.json.decode(run.read_bytes(), type=ExportsRun)
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, what, unit, column in (
        (axes[0], "wall time", "s", 1),
        (axes[1], "peak memory", "MB", 2),
    ):
        axis.plot(
            *_line([row[0] for row in _THEIRS], [row[column] for row in _THEIRS]),
            "s--",
            color="tab:red",
            label="MirrorManager",
        )
        for asn, style in ((True, "o-"), (False, "o:")):
            chosen = [one for one in found.figures if one.asn is asn and not one.noise]
            values = [one.best if column == 1 else one.peak_kib / 1000 for one in chosen]
            label = f"mirrorlist, {'with' if asn else 'without'} ASN file"
            axis.plot(*_line(_rows(chosen), values), style, color="tab:blue", label=label)
        axis.set(
            xlabel="million rows of host_category_dir", ylabel=f"{what}, {unit}", xlim=0, ylim=0
        )
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.suptitle(
        f"mirrorlist export, {found.machine.cores} cores, commit {found.machine.commit}"
    )
    figure.savefig(picture, metadata={"Date": None})


def _rows(figures: list[ExportFigures]) -> list[float]:
    return [one.rows / 1e6 for one in figures]


def _line(x: list[float], y: list[float]) -> tuple[list[float], list[float]]:
    """Points in the order of x."""
    pairs = sorted(zip(x, y, strict=True))
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


if __name__ == "__main__":
    main()
