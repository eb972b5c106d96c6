"""Packages that are built, installed, upgraded and removed in clean roots: `make package-test`."""
