"""Tests of contrib/mirror-sync/: a real rsync daemon, real sockets, real files."""
