"""
Friends by REST: what is shown, what is done, and what cannot be.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import Neighbour, make_neighbour

if TYPE_CHECKING:
    from .conftest import Api

PATH = "/api/multicast/friends"


def remember(api: Api, peer: Neighbour, friend: str = "none") -> None:
    database = api.context.database
    assert database is not None
    database.set_local(peer.public_key, nickname=peer.nickname, addresses=[], interface=None, rtt_ms=None,
                       capabilities=[], now=1.0)
    database.set_friend(peer.public_key, friend=friend, refused=False, serial=1, their_serial=1, acked=1, now=1.0)


async def test_those_with_which_there_is_something_are_listed_local_or_not(api: Api) -> None:
    kitchen, tv, phone, nas = (make_neighbour(nickname=name) for name in ("kitchen", "tv", "phone", "nas"))
    kitchen.friend, tv.friend = "mutual", "none"
    api.community.peers = [kitchen, tv]
    remember(api, phone, "received")
    remember(api, nas)
    status, answer = await api.call("GET", PATH)
    assert status == 200
    assert [(peer["nickname"], peer["friend"], peer["online"]) for peer in answer["peers"]] == [
        ("kitchen", "mutual", True), ("phone", "received", False)]
    status, peers = await api.call("GET", "/api/multicast/peers")
    assert {peer["nickname"]: peer["friend"] for peer in peers["peers"]} == {
        "kitchen": "mutual", "tv": "none", "phone": "received", "nas": "none"}
    for query, names in (("true", ["kitchen"]), ("false", ["tv", "phone", "nas"])):
        status, peers = await api.call("GET", f"/api/multicast/peers?friend={query}")
        assert {peer["nickname"] for peer in peers["peers"]} == set(names)


async def test_asking_and_withdrawing_answer_with_the_peer(api: Api) -> None:
    kitchen = make_neighbour(nickname="kitchen")
    api.community.peers = [kitchen]
    remember(api, kitchen)
    for method, body, expected in (("PUT", None, "sent"), ("PUT", b"{}", "sent"), ("DELETE", None, "none"),
                                   ("DELETE", b"", "none")):
        status, peer = await api.call(method, f"{PATH}/{kitchen.mid.hex().upper()}", data=body)
        assert (status, peer["mid"], peer["nickname"], peer["friend"]) == (200, kitchen.mid.hex(), "kitchen", expected)
    assert [(what, mid) for what, mid in api.community.decided] == [
        ("ask", kitchen.mid)] * 2 + [("withdraw", kitchen.mid)] * 2


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_what_cannot_be_is_one_line(api: Api, method: str) -> None:
    assert (await api.refused(method, f"{PATH}/{'00' * 20}"))[0] == 404
    for wrong in ("00" * 19, "00" * 21, "zz" * 20, "nobody", "%0a" * 40, "00" * 19 + "0%0a"):
        assert (await api.refused(method, f"{PATH}/{wrong}"))[0] == 422
    status, message = await api.refused(method, f"{PATH}/{api.community.my_peer.mid.hex()}")
    assert status == 422
    assert "this node itself" in message
    kitchen = make_neighbour()
    api.community.peers = [kitchen]
    for body, status in ((b"{", 400), (b"[]", 422), (b'{"x": 1}', 422), (b"x" * 100_000, 413)):
        assert (await api.refused(method, f"{PATH}/{kitchen.mid.hex()}", data=body))[0] == status
    assert (await api.refused(method, f"{PATH}/{kitchen.mid.hex()}?x=1"))[0] == 422
    assert (await api.refused(method, PATH))[0] == 405
    assert api.community.decided == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_no_other_site_makes_friends(api: Api, method: str) -> None:
    kitchen = make_neighbour()
    api.community.peers = [kitchen]
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        status, _ = await api.refused(method, f"{PATH}/{kitchen.mid.hex()}", headers=headers)
        assert status == 403
    assert (await api.refused(method, f"{PATH}/{kitchen.mid.hex()}", headers={"X-Api-Key": "wrong"}))[0] == 401
    assert api.community.decided == []
