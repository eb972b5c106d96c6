"""The first page: what a browser, and what a program, gets at `/` of both ports."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from mirrorlist.process.threads import Threads
from mirrorlist.status.admin import Admin, Reply
from mirrorlist.web.app import App
from mirrorlist.web.listener import listen
from tests.factories import export_tables, world
from tests.in_process import make_service
from tests.live import exchange, request

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/", "/status"])
def test_a_browser_is_led_on(tmp_path: Path, path: str) -> None:
    """A browser gets a page whose links all lead somewhere; nothing of the admin listener."""
    service = make_service(export_tables(tmp_path, world())[0])
    client = TestClient(App(service))
    answer = client.get(path, headers=HTML)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "3001" not in answer.text
    links = [part.partition('"')[0] for part in answer.text.split('href="')[1:]]
    assert len(links) == 5
    for link in links:
        assert client.get(link.replace("&amp;", "&")).status_code == 200


def test_the_demo_tells_its_status_page(tmp_path: Path) -> None:
    """Where visitors may know it, the status page is among the links."""
    service = make_service(export_tables(tmp_path, world())[0])
    service.status_page = "http://127.0.0.1:3001/status"
    page = TestClient(App(service)).get("/", headers=HTML).text
    assert 'href="http://127.0.0.1:3001/status"' in page


@pytest.mark.parametrize("path", ["/", "/?repo=a&arch=b", "/status", "/nothing"])
def test_a_program_gets_the_contract(tmp_path: Path, path: str) -> None:
    """Without HTML in Accept, a client gets mirrorlist-server's 404, as for unknown paths."""
    client = TestClient(App(make_service(export_tables(tmp_path, world())[0])))
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (404, "We don't serve their kind here!")
    assert client.get("/nothing", headers=HTML).status_code == 404


def test_the_admin_port_leads_to_its_status() -> None:
    """`/` of an admin listener leads to the status page, if there is one."""
    admin = Admin(listen("127.0.0.1", 0), {("GET", "/status"): lambda: Reply(200, b"fine\n")})
    admin.start(Threads(print))
    try:
        answer = exchange(int(admin.address.rpartition(":")[2]), request(b"/"))
        assert (answer.status, answer.headers["location"]) == (302, "/status")
    finally:
        admin.stop()
