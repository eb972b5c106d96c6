"""Values of settings that programs name, too: where the pages are, and what is stale."""

DEFAULT_STALE = 900
ADMIN_OF_SERVER, ADMIN_OF_WATCH = "127.0.0.1:3001", "127.0.0.1:3002"
ADMIN_OF_SCAN, ADMIN_OF_COLLECT = "127.0.0.1:3004", "127.0.0.1:3006"
ADMIN_OF_STATS = "127.0.0.1:3007"
"""Where health, metrics and status are if `--admin` does not say."""
NOWHERE = "none"
"""The value that switches an address off."""
