"""What a test changes in each file of contrib/: ports, the certificate, and where the log goes."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from tests.live import ROOT

NAME = "mirrors.example.org"
"""The site's name, which the certificate has."""

_HAPROXY = {
    "[::]:443 v4v6": "127.0.0.1:{https}",
    "[::]:80 v4v6": "127.0.0.1:{http}",
    "127.0.0.1:10002": "127.0.0.1:{plain}",
    "/etc/haproxy/mirrors.pem": "{folder}/both.pem",
    "/var/lib/haproxy/admin.sock": "{folder}/admin",
    "log /dev/log local0": "log stdout format raw local0",
    # Twice as many descriptors are needed.
    "    maxconn 20000": "    maxconn 500",
    # A test may run without being root.
    "    chroot /var/lib/haproxy\n    user haproxy\n    group haproxy\n": "",
}
_NGINX = {
    "listen 80;": "listen 127.0.0.1:{http};",
    "    listen [::]:80;\n": "",
    "listen 443 ": "listen 127.0.0.1:{https} ",
    "    listen [::]:443 ssl http2;\n": "",
    "/etc/nginx/mirrors.pem": "{folder}/cert.pem",
    "/etc/nginx/mirrors.key": "{folder}/key.pem",
    "/var/log/nginx/mirrorlist.log": "{folder}/log",
}
# The file is one of those that nginx's own configuration includes.
_NGINX_MAIN = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/mirrorlist.conf;
}}
"""
_CADDY = {
    "\tservers {": (
        "\tadmin off\n\tdefault_bind 127.0.0.1\n\thttp_port {http}\n\thttps_port {https}\n"
        "\tservers {{"
    ),
    "/etc/caddy/mirrors.pem": "{folder}/cert.pem",
    "/etc/caddy/mirrors.key": "{folder}/key.pem",
    "/var/log/caddy/mirrorlist.log": "{folder}/log",
}
SERVERS = {"127.0.0.1:18081": "127.0.0.1:{one}", "127.0.0.1:18082": "127.0.0.1:{two}"}
"""The servers' addresses in each file, of lines that are no comments."""


class Kind(Struct, frozen=True):
    """A program with its Debian package, its file of contrib/, and what a test changes in it.

    `arguments` follow the program; `log` is where its access log is, beside the folder's output.
    """

    program: str
    file: Path
    changes: Mapping[str, str]
    arguments: tuple[str, ...]
    log: str = "output"
    main: str = ""
    package: str = ""


HAPROXY = Kind(
    "haproxy",
    ROOT / "contrib/haproxy/haproxy.cfg",
    _HAPROXY,
    ("-db", "-f", "{folder}/haproxy.cfg"),
    package="haproxy",
)
NGINX = Kind(
    "nginx",
    ROOT / "contrib/nginx/mirrorlist.conf",
    _NGINX,
    ("-c", "{folder}/main.conf"),
    log="log",
    main=_NGINX_MAIN,
    package="nginx-light",
)
CADDY = Kind(
    "caddy",
    ROOT / "contrib/caddy/Caddyfile",
    _CADDY,
    ("run", "--config", "{folder}/Caddyfile", "--adapter", "caddyfile"),
    log="log",
    package="caddy",
)
KINDS = (HAPROXY, NGINX, CADDY)
"""All of them."""
