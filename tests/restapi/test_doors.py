"""
What every door of the API does with a caller it must not serve.
"""
from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tribler_multicast.restapi.announcements_endpoint import MAX_ANNOUNCEMENT_BODY
from tribler_multicast.restapi.request import MAX_BODY

from .conftest import KEY

if TYPE_CHECKING:
    from .conftest import Api

ROOT = "/api/multicast"
DOORS = [("GET", "/status"), ("GET", "/peers"), ("POST", "/discover"), ("GET", "/announcements"),
         ("POST", "/announcements"), ("POST", "/ping"), ("GET", "/settings"), ("PATCH", "/settings"),
         ("GET", "/events"), ("GET", "/doctor"), ("GET", "/search"), ("GET", "/streams"), ("POST", "/downloads"),
         ("GET", "/activity"), ("PUT", "/activity"), ("POST", "/torrents"), ("GET", "/downloads"),
         ("PATCH", "/downloads/" + "ab" * 20), ("DELETE", "/downloads/" + "ab" * 20), ("GET", "/feeds"),
         ("POST", "/feeds"), ("DELETE", "/feeds/ab"), ("GET", "/no/such/door")]
CHANGING = [("POST", "/discover"), ("POST", "/announcements"), ("POST", "/ping"), ("PATCH", "/settings"),
            ("POST", "/downloads"), ("PUT", "/activity"), ("POST", "/torrents"),
            ("PATCH", "/downloads/" + "ab" * 20), ("POST", "/feeds")]
LIMITS = {"/announcements": MAX_ANNOUNCEMENT_BODY}


@pytest.mark.parametrize(("method", "path"), DOORS)
@pytest.mark.parametrize("headers", [{}, {"X-Api-Key": "wrong"}, {"X-Api-Key": ""}, {"Cookie": "api_key=wrong"},
                                     {"X-Api-Key": "\u00fc"}])
async def test_every_door_is_closed_without_the_right_key(api: Api, method: str, path: str,
                                                          headers: dict[str, str]) -> None:
    async with api.session.request(method, api.url + ROOT + path, headers=headers) as response:
        assert response.status == 401
        assert await response.json() == {"error": {"handled": True, "message": "Unauthorized access"}}
    assert api.saved == api.community.asked == api.community.announced == []


@pytest.mark.parametrize("way", [{"headers": {"X-Api-Key": KEY}}, {"params": {"key": KEY}},
                                 {"headers": {"Cookie": f'api_key="{KEY}"'}}])
async def test_the_key_counts_in_the_header_the_query_and_the_cookie(api: Api, way: dict[str, dict[str, str]]) -> None:
    async with api.session.get(api.url + ROOT + "/status", **way) as response:
        assert response.status == 200
        assert "Set-Cookie" not in response.headers


async def test_the_overlays_of_ipv8_need_the_key_too(api: Api) -> None:
    async with api.session.get(api.url + "/api/ipv8/overlays") as response:
        assert response.status == 401
    assert await api.call("GET", "/api/ipv8/overlays") == (200, {"overlays": []})


@pytest.mark.parametrize("path", ["/api/multicast/nothing", "/api/nothing", "/nothing", "/api/multicast", "/static/no",
                                  "/docs/../api/multicast/nothing", "/%00"])
async def test_an_unknown_path_is_404(api: Api, path: str) -> None:
    assert (await api.refused("GET", path))[0] == 404


@pytest.mark.parametrize(("method", "path"), [("POST", "/status"), ("DELETE", "/peers"), ("GET", "/discover"),
                                              ("PUT", "/settings"), ("POST", "/events"), ("PATCH", "/doctor"),
                                              ("HEAD", "/events")])
async def test_a_wrong_method_is_405_and_names_the_right_one(api: Api, method: str, path: str) -> None:
    async with api.session.request(method, api.url + ROOT + path, headers={"X-Api-Key": KEY}) as response:
        assert response.status == 405
        assert response.headers["Allow"]
        if method != "HEAD":
            assert (await response.json())["error"]["handled"] is True


@pytest.mark.parametrize(("method", "path"), CHANGING)
@pytest.mark.parametrize("body", [b"{", b"{'a': 1}", b"\xff\xfe", b'{"timeout": NaN}', b"[" * 60000, b"{}{}",
                                  b'{"timeout": ' + b"1" * 6000 + b"}", b"nonsense"])
async def test_a_body_that_is_no_json_is_400(api: Api, method: str, path: str, body: bytes) -> None:
    assert await api.refused(method, ROOT + path, data=body) == (400, "The body is not valid JSON")
    assert api.saved == api.community.asked == api.community.announced == []


@pytest.mark.parametrize(("method", "path"), CHANGING)
@pytest.mark.parametrize("body", [b"[]", b"1", b'"text"', b"null", b"true"])
async def test_a_body_that_is_no_object_is_422(api: Api, method: str, path: str, body: bytes) -> None:
    assert (await api.refused(method, ROOT + path, data=body))[0] == 422


@pytest.mark.parametrize(("method", "path"), CHANGING)
async def test_a_body_that_is_too_large_is_413(api: Api, method: str, path: str) -> None:
    body = json.dumps({"nickname": "x" * (LIMITS.get(path, MAX_BODY) - 16)}).encode()
    assert (await api.refused(method, ROOT + path, data=body[:-2] + b'"}'))[0] == 422
    body += b" " * 1000
    assert (await api.refused(method, ROOT + path, data=body))[0] == 413

    async def unannounced() -> object:
        for start in range(0, len(body), 1000):
            yield body[start:start + 1000]

    assert (await api.refused(method, ROOT + path, data=unannounced()))[0] == 413
    assert api.saved == api.community.asked == api.community.announced == []


@pytest.mark.parametrize(("method", "path"), CHANGING)
@pytest.mark.parametrize("headers", [
    {"Host": "evil.example"}, {"Host": "evil.example:{port}"}, {"Host": "127.0.0.1.evil.example:{port}"},
    {"Host": "192.168.1.5:{port}"}, {"Host": ""}, {"Host": "a b"}, {"Host": "[::1"}, {"Host": "localhost@evil.example"},
    {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": ""}, {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://localhost:{port}"}, {"Origin": "file://"}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"}])
async def test_what_comes_from_another_site_changes_nothing(api: Api, method: str, path: str,
                                                            headers: dict[str, str]) -> None:
    port = str(urlsplit(api.url).port)
    sent = {name: value.replace("{port}", port) for name, value in headers.items()}
    assert (await api.refused(method, ROOT + path, data=b"{}", headers=sent))[0] == 403
    assert api.saved == api.community.asked == api.community.announced == []


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://127.0.0.1:{port}"}, {"Host": "localhost"},
                                     {"Host": "LOCALHOST:{port}", "Origin": "http://localhost:{port}"},
                                     {"Host": "[::1]:{port}"}, {"Sec-Fetch-Site": "same-origin"}])
async def test_what_comes_from_the_page_itself_or_a_program_is_served(api: Api, headers: dict[str, str]) -> None:
    port = str(urlsplit(api.url).port)
    sent = {name: value.replace("{port}", port) for name, value in headers.items()}
    assert (await api.call("PATCH", ROOT + "/settings", data=b"{}", headers=sent))[0] == 200


async def test_an_unforeseen_error_is_told_to_the_log_only(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("/home/user/secret")

    api.community.counters = fail
    status, answer = await api.call("GET", ROOT + "/status")
    assert status == 500
    assert answer["error"]["handled"] is False
    assert "secret" not in json.dumps(answer)
    assert "secret" in caplog.text


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path in DOORS if "no" not in path])
async def test_an_unknown_query_is_422(api: Api, method: str, path: str) -> None:
    assert (await api.refused(method, f"{ROOT}{path}?colour=red", data=b"{}" if method != "GET" else None))[0] == 422


async def test_garbage_instead_of_http_leaves_the_server_serving(api: Api) -> None:
    parts = urlsplit(api.url)
    for garbage in (b"\x00" * 2000, b"GET " + b"x" * 100_000 + b"\r\n\r\n",
                    b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(garbage)
        await writer.drain()
        assert b" 400 " in await asyncio.wait_for(reader.readline(), 5)
        writer.close()
    assert (await api.call("GET", ROOT + "/status"))[0] == 200
