"""Lets `python -m mirrorlist.cli` do what the command `mirrorlist` does."""

from mirrorlist.cli import main

main()
