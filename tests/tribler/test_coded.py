"""
Files to many, from and to a real Tribler.
"""
from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING

import pytest

from tests.standalone.oneshots import PATIENCE, film, same

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lan.testbed import Lan

    from .host import Tribler


def test_a_tribler_fetches_to_its_download_folder_plays_it_and_gives_it_on(
        house: Lan, start: Callable[..., Tribler], tmp_path: Path) -> None:
    first, second, third = house.machines(3)
    tribler, node, other = start(first, "t"), second.node("n"), third.node("o")
    tribler.wait_local(node, other)
    path = film(tmp_path / "in", 500_000, "film.mp4")
    events = tribler.host_events()
    content_id = node.rest("POST", "/publications", {"path": str(path)})["content_id"]
    begun = tribler.rest("POST", "/transfers", {"content_id": content_id})
    events.wait_for("multicast_transfer", PATIENCE, id=begun["id"], state="done")
    assert same(path, tribler.saved / "film.mp4")

    shown = tribler.rest("GET", f"/transfers/{begun['id']}")
    assert shown["path"] == str(tribler.saved / "film.mp4")
    data = f"{tribler.url}/api/multicast/transfers/{begun['id']}/data"

    def curl(url: str, *arguments: str) -> str:
        return first.run(["curl", "-s", "-o", str(tmp_path / "got"), "-w", "%{http_code} %{content_type}", *arguments,
                          url])

    assert curl(f"{data}?token={shown['token']}", "-r", "0-9999") == "206 video/mp4"
    assert (tmp_path / "got").read_bytes() == path.read_bytes()[:10_000]
    assert curl(data).startswith("401")
    assert curl(f"{data}?token={shown['token'][::-1]}").startswith("401")
    for closed in ("/api/multicast/status", "/api/downloads", f"/api/multicast/transfers/{begun['id']}"):
        assert curl(f"{tribler.url}{closed}?token={shown['token']}").startswith("401")
    assert curl(f"{data}?key={urllib.parse.quote(tribler.key)}").startswith("200")

    node.stop()
    tribler.wait_for(lambda: tribler.rest("GET", "/publications")["publications"], PATIENCE, "it is offered in turn")
    output = tmp_path / "out"
    output.mkdir()
    again = other.rest("POST", "/transfers", {"content_id": content_id, "output": str(output)})
    other.wait_for(lambda: other.rest("GET", f"/transfers/{again['id']}")["state"] == "done", PATIENCE, "it arrives")
    assert same(path, output / "film.mp4")
    browsed = tribler.rest("GET", f"/browse?path={tribler.saved}")["paths"]
    assert [each["name"] for each in browsed] == ["..", "film.mp4"]
    assert not tribler.complaints()


def test_a_tribler_that_wants_no_transfers_has_none(house: Lan, start: Callable[..., Tribler]) -> None:
    tribler = start(house.machine(), "without", coded=False)
    with pytest.raises(Exception, match="503"):
        tribler.rest("GET", "/transfers")
