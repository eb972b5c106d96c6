"""The comparison with mirrorlist-server: equal data and requests, the meaning of answers."""
