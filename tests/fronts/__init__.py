"""The fronts of contrib/: haproxy, nginx and Caddy with TLS before two real servers."""
