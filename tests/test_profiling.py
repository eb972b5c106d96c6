"""What a profile says of samples."""

import sys

from loadtest.profiling import Samples


def test_a_function_counts_alone_and_with_what_it_calls() -> None:
    """Each sample counts once for the function that runs and once for each that called it."""
    samples = Samples()

    def inner() -> None:
        samples.take(0, sys._getframe())

    def outer(times: int) -> None:
        inner()
        if times > 1:
            outer(times - 1)

    outer(3)
    samples.take(0, None)
    name = "test_a_function_counts_alone_and_with_what_it_calls.<locals>"
    assert samples.alone == {f"{name}.inner": 3}
    assert samples.within[f"{name}.outer"] == 3
    lines = samples.table(1000).splitlines()
    assert lines[0] == "3 samples"
    assert f" 100.0%    0.0%  {name}.outer" in lines
    assert f" 100.0%  100.0%  {name}.inner" in lines
