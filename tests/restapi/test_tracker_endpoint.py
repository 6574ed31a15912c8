"""``/tracker`` and ``/subscriptions`` of a node that has neither. (With nodes that do: tests/lan.)"""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Api

BASE = "/api/multicast"


async def test_a_tracker_that_was_never_wanted_is_shown_as_off(api: Api) -> None:
    status, answer = await api.call("GET", BASE + "/tracker")
    assert status == 200
    assert answer == {"enabled": False, "url": None, "error": None, "torrents": 0, "clients": 0, "announces": 0,
                      "scrapes": 0, "refused": 0, "swarms": []}
    assert (await api.refused("GET", BASE + "/tracker?a=b"))[0] == 422


@pytest.mark.parametrize(("method", "path", "body", "status"), [
    ("GET", "", None, 503), ("POST", "", {"mid": "ab" * 20}, 503), ("POST", "", {}, 422),
    ("POST", "", {"mid": "ab"}, 422), ("POST", "", {"mid": 5}, 422), ("DELETE", "/" + "ab" * 20, None, 503)])
async def test_a_node_that_receives_nothing_coded_follows_nobody(api: Api, method: str, path: str,
                                                                 body: dict[str, object] | None, status: int) -> None:
    more = {} if body is None else {"json": body}
    assert (await api.refused(method, f"{BASE}/subscriptions{path}", **more))[0] == status
