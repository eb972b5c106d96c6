"""A small MirrorManager database to try everything on: fictional mirrors of a Fedora-like tree.

It is the same at each build: no clock, no chance, no network.
"""

from snapshot.demo.build import build_demo as build_demo
from snapshot.demo.build import fill_demo as fill_demo
from snapshot.demo.hosts import demo_asn_lines as demo_asn_lines
