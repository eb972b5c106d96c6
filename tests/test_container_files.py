"""The files in contrib/ that run the image: quadlets, compose.yaml and kubernetes.yaml."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from mirrorlist.cli import cli
from mirrorlist.settings import SETTINGS
from tests.live import ROOT

CONTRIB = ROOT / "contrib"
QUADLETS = sorted((CONTRIB / "quadlet").glob("*.container"))
IMAGE = "localhost/mirrorlist:latest"
USER = 441
# What `--drain` is followed by at most, and what podman waits for.
ENDING_SECONDS = 15


def entries(path: Path) -> dict[str, list[str]]:
    """The entries of a quadlet, as `Section.Key`, with the values of all lines."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, line
            found.setdefault(f"{section}.{key}", []).append(value)
    return found


def options(words: list[str], monkeypatch: pytest.MonkeyPatch, **variables: str) -> dict[str, Any]:
    """What a command line of the image means; raises if it is wrong."""
    known = {setting.variable for setting in SETTINGS}
    assert variables.keys() <= known
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None
    return command.make_context(words[0], words[1:]).params


@pytest.mark.parametrize("path", QUADLETS, ids=lambda path: path.name)
def test_a_quadlet(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs mirrorlist, may do nothing but that, has the time to end, and comes back."""
    found = entries(path)
    assert found["Service.Restart"] == ["always"]
    (line,) = found["Container.Exec"]
    given = options(shlex.split(line.replace("%i", "1")), monkeypatch)
    for key, value in {
        "Image": IMAGE,
        "UserNS": f"keep-id:uid={USER},gid={USER}",
        "ReadOnly": "true",
        "DropCapability": "all",
        "NoNewPrivileges": "true",
    }.items():
        assert found[f"Container.{key}"] == [value]
    if given.get("drain"):
        waited = int(found["Container.PodmanArgs"][0].removeprefix("--stop-timeout="))
        assert given["drain"] + ENDING_SECONDS < waited < int(found["Service.TimeoutStopSec"][0])
    folders = [volume.split(":")[1] for volume in found["Container.Volume"]]
    assert all(folder.startswith(("/var/lib/", "/var/log/", "/srv/")) for folder in folders)


def test_the_page_of_the_quadlets() -> None:
    """The page names each quadlet and each folder outside."""
    page = (CONTRIB / "quadlet" / "README.md").read_text(encoding="utf-8")
    assert len(QUADLETS) == 4
    for path in QUADLETS:
        assert f"`{path.name}`" in page
        for volume in entries(path)["Container.Volume"]:
            assert volume.split(":")[0] in page


@pytest.mark.parametrize("page", ["sites.md", "small-site.md"])
def test_a_site_in_a_container(page: str) -> None:
    """A container of a site comes back after its first process was killed, which podman has to be
    told.
    """
    lines = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
    found = [one for one in lines if one.startswith("podman run") and " run /site/" in one]
    assert len(found) == 1
    assert "--restart=always " in found[0]


def test_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each service runs mirrorlist, without powers; only the watch may write snapshots, and
    only its user may read the database's password.
    """
    text = (CONTRIB / "compose.yaml").read_text()
    assert f"install -o {USER} -g {USER} -m 400 FILE-WITH-THE-URL database" in text
    services = yaml.safe_load(text)["services"]
    for name, service in services.items():
        given = options(service["command"], monkeypatch, **service.get("environment", {}))
        assert (service["image"], service["user"]) == (IMAGE, f"{USER}:{USER}")
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["volumes"][0].endswith(":z" if name == "watch" else ":ro,z")
        ends = int(service["stop_grace_period"].removesuffix("s"))
        assert given.get("drain", 0) + ENDING_SECONDS < ends
    ports = [options(services[one]["command"], monkeypatch)["port"] for one in list(services)[1:]]
    assert len(set(ports)) == 2


def test_kubernetes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run mirrorlist without powers, and each probe asks a page that is there."""
    text = (CONTRIB / "kubernetes.yaml").read_text()
    deployment, service = yaml.safe_load_all(text)
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == USER
    server, watch = pod["containers"]
    given = options(server["args"], monkeypatch)
    assert given["drain"] + ENDING_SECONDS < pod["terminationGracePeriodSeconds"]
    ports = {port["name"]: port["containerPort"] for port in server["ports"]}
    assert ports == {"http": given["port"], "admin": int(given["admin"].rpartition(":")[2])}
    admin = options(watch["args"], monkeypatch)["admin"]
    assert watch["ports"] == [
        {"name": "watch-admin", "containerPort": int(admin.rpartition(":")[2])}
    ]
    assert service["spec"]["ports"][0]["targetPort"] in ports
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    for container in (server, watch):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    names = {volume["name"] for volume in pod["volumes"]}
    assert {one["name"] for each in (server, watch) for one in each["volumeMounts"]} == names


def test_probes() -> None:
    """A start waits for the snapshot, a pod without one gets no requests, and lives on."""
    deployment, _ = yaml.safe_load_all((CONTRIB / "kubernetes.yaml").read_text())
    server, watch = deployment["spec"]["template"]["spec"]["containers"]
    pages = {name: server[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness")}
    assert set(pages.values()) == {"/health/ready"}
    assert server["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert watch["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": "watch-admin"}
    # If it had one, an export that fails would take lists away that are as good as before.
    assert "readinessProbe" not in watch


def test_the_user_of_the_image() -> None:
    """The user of these files is that of the image."""
    text = (ROOT / "Containerfile").read_text()
    assert re.search(rf"^USER {USER}:{USER}$", text, re.MULTILINE)
