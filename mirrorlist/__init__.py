"""The server: it looks up, orders and renders what a snapshot says."""

__version__ = "0.1.0"
