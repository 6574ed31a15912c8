"""
The class that serves Tribler's user interface with the page in it, over one that serves files as Tribler's does. (The
real one: `tests/browser/test_tribler.py`.)
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tribler_multicast.gui_patch.inject import TAG
from tribler_multicast.page.serve import page_files
from tribler_multicast.tribler8.webui import Switch, with_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

INDEX = b'<head><script type="module" src="./assets/index.js"></script></head>'


@pytest.fixture
def shown() -> Switch:
    switch = Switch()
    switch.wanted = lambda: True
    return switch


@pytest.fixture(params=["built", "development server"])
async def client(request: pytest.FixtureRequest, tmp_path: Path, shown: Switch) -> AsyncIterator[TestClient]:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "index.html").write_bytes(INDEX)
    (tmp_path / "dist" / "other.html").write_bytes(INDEX)

    class Base:
        webui_root = tmp_path

        async def return_files(self, asked: web.Request) -> web.StreamResponse:
            path = asked.match_info["path"] or "index.html"
            if not (tmp_path / "dist" / path).is_file():
                raise web.HTTPNotFound
            if request.param == "built":
                return web.FileResponse(tmp_path / "dist" / path)
            return web.Response(body=(tmp_path / "dist" / path).read_bytes(), content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/ui/{path:.*}", with_page(Base, shown)().return_files)])
    async with TestClient(TestServer(app)) as started:
        yield started


async def body(client: TestClient, path: str) -> bytes:
    async with client.get(path) as response:
        assert response.status == 200
        return await response.read()


@pytest.mark.parametrize("path", ["/ui/", "/ui/index.html"])
async def test_the_index_has_the_tag_and_is_asked_for_again_each_time(client: TestClient, path: str) -> None:
    async with client.get(path) as response:
        content = await response.read()
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.content_type == "text/html"
    assert content.count(TAG) == 1
    assert content.replace(TAG, b"") == INDEX


async def test_any_other_file_is_as_it_was(client: TestClient) -> None:
    assert await body(client, "/ui/other.html") == INDEX


async def test_while_the_plugin_is_off_the_index_is_as_it_was(client: TestClient, shown: Switch) -> None:
    shown.wanted = lambda: False
    assert await body(client, "/ui/") == INDEX
    shown.wanted = lambda: True
    assert TAG in await body(client, "/ui/")


@pytest.mark.parametrize("html", [b"", b"nothing known", b"<html><body>"])
async def test_an_index_that_has_no_place_for_it_stays_with_a_line_in_the_log(
        client: TestClient, tmp_path: Path, caplog: pytest.LogCaptureFixture, html: bytes) -> None:
    (tmp_path / "dist" / "index.html").write_bytes(html)
    assert await body(client, "/ui/") == html
    assert "works without its page" in caplog.text


async def test_a_failure_of_ours_costs_the_page_and_not_the_user_interface(client: TestClient, shown: Switch) -> None:
    def fail() -> bool:
        raise RuntimeError

    shown.wanted = fail
    assert await body(client, "/ui/") == INDEX


async def test_all_files_of_the_page_are_there_with_their_types(client: TestClient) -> None:
    for name, (path, content_type) in page_files().items():
        async with client.get(f"/ui/multicast/{name}") as response:
            assert await response.read() == path.read_bytes(), name
            assert response.content_type == content_type
            assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["", "serve.py", "../page/serve.py", "..%2fserve.py", "%2e%2e/settings.py",
                                  "/etc/passwd", "index.html", "tribler.js/", "vendor/"])
async def test_nothing_else_is(client: TestClient, name: str) -> None:
    async with client.get(f"/ui/multicast/{name}") as response:
        assert response.status == 404


def test_tribler_s_own_name_stays(shown: Switch) -> None:
    made: Callable[..., object] = with_page(object, shown)
    assert made.__name__ == "WebUIEndpoint"
