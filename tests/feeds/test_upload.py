"""Uploads to the user's web server: sent, told, tried again, and the token kept where it belongs."""
from __future__ import annotations

import asyncio
import time
from email import message_from_bytes
from email.policy import HTTP

import pytest

from tribler_multicast.feeds.limits import MINUTE
from tribler_multicast.feeds.model import FeedError
from tribler_multicast.feeds.upload import target_of

from .conftest import Node, made, until
from .web import WebServer


@pytest.mark.parametrize(("name", "path"), [
    ("a b", "/a%20b.torrent"), ("../../etc/passwd", "/..%2F..%2Fetc%2Fpasswd.torrent"), ("..", "/_.torrent"),
    ("a?b#c", "/a%3Fb%23c.torrent"), ("\u00e9", "/%C3%A9.torrent"), ("{infohash}", "/%7Binfohash%7D.torrent"),
    ("100%", "/100%25.torrent"), ("a%2Fb", "/a%252Fb.torrent")])
def test_the_name_is_filled_in_as_one_part_of_the_path(name: str, path: str) -> None:
    assert str(target_of("https://h/{name}.torrent", name, bytes(20))) == f"https://h{path}"


def test_what_is_filled_in_never_makes_the_host() -> None:
    assert str(target_of("https://h/x?f={infohash}", "n", bytes(20))) == f"https://h/x?f={bytes(20).hex()}"
    for template in ("https://{name}/x", "https://{name}@h/x", "{name}", "ftp://h/{name}", "https://[/{name}"):
        with pytest.raises(FeedError):
            target_of(template, "evil.example", bytes(20))


async def upload_to(node: Node, server: WebServer, path: str = "/up/{infohash}.torrent", **more: object) -> None:
    node.options.update({"feed_upload_url": server.base + path, **{f"feed_upload_{key}": value
                                                                   for key, value in more.items()}})


async def test_a_torrent_is_put_to_a_web_server(node: Node, server: WebServer) -> None:
    torrent = made("one")
    path = f"/up/{torrent.infohash.hex()}.torrent"
    server.answer(path, status=201)
    await upload_to(node, server, token="s3cret")
    assert (await node.feeds.publish(torrent)).uploaded is True
    request = server.seen[0]
    assert (request.method, request.path, server.bodies[0]) == ("PUT", path, torrent.data)
    assert request.headers["Authorization"] == "Bearer s3cret"
    assert request.headers["Content-Type"] == "application/x-bittorrent"


async def test_a_torrent_is_posted_as_the_file_of_a_form(node: Node, server: WebServer) -> None:
    torrent = made("one")
    server.redirect("/up", "/done", 303)
    await upload_to(node, server, "/up", method="POST")
    assert (await node.feeds.publish(torrent)).uploaded is True
    head = f"Content-Type: {server.seen[0].headers['Content-Type']}\r\n\r\n".encode()
    form = message_from_bytes(head + server.bodies[0], policy=HTTP)
    assert [(part.get_param("name", header="Content-Disposition"), part.get_filename(), part.get_content())
            for part in form.iter_parts()] == [("file", "one.torrent", torrent.data)]
    assert "Authorization" not in server.seen[0].headers
    assert server.requests["/done"] == 0


async def test_an_upload_that_fails_is_told_and_tried_again_also_after_a_restart(node: Node, server: WebServer) -> None:
    torrent = made("one")
    path = f"/up/{torrent.infohash.hex()}.torrent"
    server.answer(path, status=507)
    await upload_to(node, server)
    published = await node.feeds.publish(torrent)
    line = f"{server.base}{path} answers 507 Insufficient Storage"
    assert (published.uploaded, published.error) == (False, line)
    assert torrent.infohash.hex().encode() in node.feeds.own_feed()
    await node.restart()
    assert [(item.uploaded, item.error) for item in node.feeds.published()] == [(False, line)]
    await asyncio.sleep(0.15)
    assert server.requests[path] == 1  # not before its time
    row = node.feeds._publisher.rows()[0]
    assert row.next_try == pytest.approx(time.time() + MINUTE, abs=16)
    server.answer(path, status=204)
    node.ahead = 2 * MINUTE
    node.feeds._publisher._wake.set()
    await until(lambda: node.feeds.published()[0].uploaded)
    assert node.feeds.published()[0].error == ""
    await node.restart()
    assert node.feeds.published()[0].uploaded is True
    assert server.requests[path] == 2


async def test_a_setting_that_is_mended_is_tried_at_once(node: Node, server: WebServer) -> None:
    server.answer("/right", status=201)
    await upload_to(node, server, "/wrong")
    assert (await node.feeds.publish(made("one"))).uploaded is False
    await upload_to(node, server, "/right")
    await until(lambda: node.feeds.published()[0].uploaded)


async def test_what_was_published_before_an_upload_was_set_stays_here(node: Node, server: WebServer) -> None:
    assert (await node.feeds.publish(made("one"))).uploaded is None
    await upload_to(node, server)
    await asyncio.sleep(0.15)
    assert not server.requests
    assert node.feeds.published()[0].uploaded is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_token_never_goes_to_another_host(node: Node, server: WebServer, status: int) -> None:
    async with WebServer("127.0.0.2") as other:
        server.redirect("/up", other.answer("/stolen", status=201), status)
        await upload_to(node, server, "/up", token="s3cret")
        published = await node.feeds.publish(made("one"))
        assert published.uploaded is False
        assert "redirects to" in published.error
        assert not other.requests


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_a_redirect_on_the_same_host_is_followed_with_the_file(node: Node, server: WebServer,
                                                                     method: str) -> None:
    server.redirect("/up", "/there", 307)
    server.answer("/there", status=201)
    await upload_to(node, server, "/up", token="s3cret", method=method)
    torrent = made("one")
    assert (await node.feeds.publish(torrent)).uploaded is True
    assert server.seen[-1].headers["Authorization"] == "Bearer s3cret"
    assert torrent.data in server.bodies[-1]
    server.redirect("/up", "/up", 308)
    assert (await node.feeds.publish(torrent)).error == f"{server.base}/up redirects more than 5 times"


async def test_no_message_shows_the_token_or_the_password(node: Node, server: WebServer) -> None:
    node.options.update({"feed_upload_url": f"http://user:passw0rd@127.0.0.1:{server.port}/up?key=s3cret",
                         "feed_upload_token": ""})
    error = (await node.feeds.publish(made("one"))).error
    assert error == f"{server.base}/up answers 404 Not Found"
