"""Draws a run of `loadtest.stats`, such as in `loadtest/runs`.

    python -m loadtest.stats.plot runs/stats.json stats.svg

Needs matplotlib: `pip install -e '.[plots]'`.
"""

from pathlib import Path

import click
import matplotlib
import msgspec
from matplotlib import pyplot

from loadtest.stats.__main__ import StatsRun

_LIMIT = 100


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("picture", type=click.Path(path_type=Path))
def main(run: Path, picture: Path) -> None:
    """Draw the time of each question against the days of history."""
    # Equal input, equal picture.
    matplotlib.rcParams.update({"svg.hashsalt": "stats", "svg.fonttype": "none"})
    found = msgspec.json.decode(run.read_bytes(), type=StatsRun)
    figure, axis = pyplot.subplots(figsize=(10, 5), layout="constrained")
    for name in dict.fromkeys(one.question for one in found.figures):
        chosen = [one for one in found.figures if one.question == name and one.days == one.about]
        axis.plot([one.days for one in chosen], [one.median for one in chosen], "o-", label=name)
    axis.axhline(_LIMIT, color="tab:red", linestyle="--", label="the limit")
    axis.set(
        xscale="log",
        yscale="log",
        xlabel="days of history, all of which the question is about",
        ylabel="median, ms",
    )
    axis.grid(alpha=0.3, which="both")
    axis.legend(bbox_to_anchor=(1, 1), fontsize="small")
    figure.suptitle(f"mirrorlist stats, {found.machine.cores} cores, commit {found.machine.commit}")
    figure.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    main()
