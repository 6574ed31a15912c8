"""
What the API says of this node, and its documentation.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Api


async def test_status_shows_who_this_node_is_and_what_it_did(api: Api) -> None:
    status, answer = await api.call("GET", "/api/multicast/status")
    assert status == 200
    assert 0 <= answer.pop("uptime") < 60
    assert {"torrents"} <= set(answer.pop("features")) <= {"torrents", "weather"}  # nothing is sent coded here
    peer = api.community.my_peer
    assert answer == {
        "version": "1.2.3", "client": "standalone", "mid": peer.mid.hex(),
        "public_key": peer.public_key.key_to_bin().hex(), "nickname": "",
        "policy": "everyone", "group": None,
        "interfaces": [{"name": "eth0", "index": 2, "addresses": ["10.0.0.1"], "joined": ["ipv4"], "error": None,
                        "note": ""}],
        "counters": {"sent": {"introduction": 3}, "received": {}, "dropped": {"bad signature": 1}},
    }


async def test_every_call_is_in_the_documentation(api: Api) -> None:
    async with api.session.get(api.url + "/docs/swagger.json") as response:
        assert response.status == 200
        document = await response.json()
    calls = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert calls >= {("get", "/api/multicast/status"), ("get", "/api/multicast/peers"),
                     ("post", "/api/multicast/discover"), ("get", "/api/multicast/settings"),
                     ("patch", "/api/multicast/settings"), ("get", "/api/multicast/events"),
                     ("get", "/api/multicast/doctor"), ("get", "/api/ipv8/overlays")}
    assert document["securityDefinitions"]["apiKey"]["name"] == "X-Api-Key"
    async with api.session.get(api.url + "/docs") as response:
        assert response.status == 200
        assert "swagger" in (await response.text()).lower()


async def test_answers_forbid_guessing_types_framing_and_caching(api: Api) -> None:
    for path, status in (("/api/multicast/status", 401), ("/", 200), ("/docs", 200)):
        async with api.session.get(api.url + path) as response:
            assert response.status == status
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.headers["X-Frame-Options"] == "DENY"
            assert "no-store" in response.headers.get("Cache-Control", "") or not path.startswith("/api")


async def test_the_page_needs_no_key_and_allows_no_foreign_script(api: Api) -> None:
    for path in ("/", "/static/local-network.js", "/static/local-network.css", "/static/local-network.svg"):
        async with api.session.get(api.url + path) as response:
            assert response.status == 200
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert api.community.my_peer.mid.hex() not in await response.text()
