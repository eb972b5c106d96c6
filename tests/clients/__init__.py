"""Tests in which real clients fetch lists and packages, over loopback."""
