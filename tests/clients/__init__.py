"""Tests in which real clients fetch lists and packages: dnf and librepo, over loopback."""
