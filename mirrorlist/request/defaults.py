"""The proxies that are trusted where no setting says otherwise.

They stand apart, because a command reads the settings without any request.
"""

LOOPBACK = ("127.0.0.0/8", "::1/128")
DEFAULT_TRUSTED = (
    *LOOPBACK,
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
)
