"""The tests: plain Python ones, and system tests that need programs from outside Python."""

import pytest

# What these assert is shown with its values when it fails, as in a test module.
pytest.register_assert_rewrite(
    "tests.contract.case", "tests.metalink_document", "tests.stats_pages_checks"
)
