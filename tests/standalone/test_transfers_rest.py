"""
Publications and transfers by REST, between two nodes on the loopback interface.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .nodes import wait_for
from .oneshots import PATIENCE, film, same, tree

if TYPE_CHECKING:
    from .conftest import StartNode
    from .nodes import RunningNode

NONE = "ab" * 32
JSON = {"Content-Type": "application/json"}


class Client:
    """
    Calls one node.
    """

    def __init__(self, node: RunningNode) -> None:
        """
        This one.
        """
        self.node = node

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """
        Call it: status and answer.
        """
        return self.node.call(method, path, None if body is None else json.dumps(body).encode(), JSON)

    def good(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        """
        Call it; the answer.
        """
        status, answer = self.call(method, path, body)
        assert status == 200, answer
        return answer

    def refused(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """
        Call it for what cannot be: status and the one line.
        """
        status, answer = self.call(method, path, body)
        assert set(answer) == {"error"}
        assert "\n" not in answer["error"]["message"]
        return status, answer["error"]["message"]


@pytest.fixture
def two(start_node: StartNode) -> tuple[Client, Client]:
    """
    Two nodes that know each other.
    """
    a, b = start_node("a"), start_node("b")
    wait_for(lambda: b.mid in a.peers() and a.mid in b.peers(), PATIENCE)
    return Client(a), Client(b)


def test_a_folder_is_published_fetched_shown_changed_and_removed(two: tuple[Client, Client], tmp_path: Path) -> None:
    a, b = two
    root, output = tree(tmp_path / "in"), tmp_path / "out"
    output.mkdir()
    published = a.good("POST", "/publications", {"path": str(root)})
    assert (published["name"], published["files"], published["error"]) == ("holiday", 4, None)
    assert a.good("GET", "/publications") == {"publications": [published]}
    begun = b.good("POST", "/transfers", {"content_id": published["content_id"].upper(), "output": str(output)})
    path = f"/transfers/{begun['id']}"
    wait_for(lambda: b.good("GET", path)["state"] == "done", PATIENCE)
    shown = b.good("GET", path)
    assert (shown["path"], shown["progress"], shown["files_total"]) == (str(output / "holiday"), 1.0, 3)
    assert same(root, output / "holiday")
    [listed] = [each for each in b.good("GET", "/transfers")["transfers"] if each["role"] == "receiver"]
    assert {**shown, **listed} == shown
    assert b.good("PATCH", path, {"rate": 5000})["rate"] == 5000
    assert b.good("PATCH", path, {"rate": None, "state": "active"})["rate"] is None
    assert b.good("DELETE", f"{path}?delete=true") == {"id": begun["id"], "deleted": True}
    assert same(root, output / "holiday")
    assert b.refused("GET", path)[0] == 404
    assert a.good("DELETE", f"/publications/{published['content_id']}") == {"content_id": published["content_id"]}
    assert a.good("GET", "/publications") == {"publications": []}


def test_what_cannot_be_is_one_line_with_its_status(two: tuple[Client, Client], tmp_path: Path) -> None:
    a, _ = two
    path = str(film(tmp_path))
    one = f"/transfers/{a.good('POST', '/transfers', {'content_id': NONE, 'output': str(tmp_path / 'x')})['id']}"
    for method, where, body, status in [
            ("POST", "/publications", {}, 422), ("POST", "/publications", {"path": 5}, 422),
            ("POST", "/publications", {"path": "film"}, 422), ("POST", "/publications", {"path": "/none/such"}, 404),
            ("POST", "/publications", {"path": path, "more": 1}, 422),
            ("POST", "/publications?x=1", {"path": path}, 422),
            ("DELETE", f"/publications/{NONE}", None, 404), ("DELETE", "/publications/5", None, 422),
            ("POST", "/transfers", {}, 422), ("POST", "/transfers", {"content_id": "ab"}, 422),
            ("POST", "/transfers", {"content_id": NONE, "output": "here"}, 422),
            ("POST", "/transfers", {"content_id": NONE, "output": "/none/such/folder"}, 404),
            ("POST", "/transfers", {"content_id": NONE, "rate": "fast"}, 422),
            ("POST", "/transfers", {"content_id": NONE, "rate": -1}, 422),
            ("POST", "/transfers", {"content_id": NONE, "output": str(tmp_path / "y")}, 409),
            ("PATCH", one, {"state": "done"}, 422), ("PATCH", one, {"state": ["paused"]}, 422),
            ("PATCH", one, {"rate": True}, 422), ("PATCH", "/transfers/5", {"state": "paused"}, 404),
            ("DELETE", "/transfers/5", None, 404), ("DELETE", f"{one}?delete=yes", None, 422),
            ("GET", "/browse?path=here", None, 422), ("GET", "/browse?files=perhaps", None, 422)]:
        assert a.refused(method, where, body)[0] == status, (method, where, body)
    assert a.node.call("POST", "/transfers", b"{", JSON)[0] == 400
    assert a.node.call("POST", "/transfers", b" " * 100_000, JSON)[0] == 413
    assert a.node.call("POST", "/publications", json.dumps({"path": path}).encode(),
                       {**JSON, "Origin": "http://evil.example"})[0] == 403


def test_folders_are_browsed_as_in_tribler(two: tuple[Client, Client], tmp_path: Path) -> None:
    a, _ = two
    root = tree(tmp_path / "in")
    (root / "away").symlink_to(tmp_path / "none")
    listed = a.good("GET", f"/browse?path={root}")
    assert (listed["current"], listed["separator"]) == (str(root), "/")
    assert listed["paths"][0] == {"name": "..", "path": str(root.parent), "dir": True}
    assert [(each["name"], each["dir"]) for each in listed["paths"][1:]] == [
        ("nothing in here", True), ("pictures", True), ("away", False), ("film.mkv", False)]
    assert all(each["path"] == str(root / each["name"]) for each in listed["paths"][1:])
    folders = a.good("GET", f"/browse?path={root}&files=false")["paths"]
    assert [each["name"] for each in folders] == ["..", "nothing in here", "pictures"]
    assert a.good("GET", f"/browse?path={root}/film.mkv")["current"] == str(root)
    assert a.good("GET", f"/browse?path={root}/none/such")["current"] == str(root)
    assert a.good("GET", "/browse")["current"] == str(Path.home().resolve())
    assert a.good("GET", "/browse?path=/")["paths"][0] == {"name": "..", "path": "/", "dir": True}


def test_the_documentation_describes_every_call(two: tuple[Client, Client]) -> None:
    import http.client  # noqa: PLC0415
    from urllib.parse import urlsplit  # noqa: PLC0415

    parts = urlsplit(two[0].node.ready["api"])
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    connection.request("GET", "/docs/swagger.json")
    described = json.loads(connection.getresponse().read())["paths"]
    connection.close()
    root = "/api/multicast"
    for path, methods in {"/publications": {"get", "post"}, "/publications/{id}": {"delete"},
                          "/transfers": {"get", "post"}, "/transfers/{id}": {"get", "patch", "delete"},
                          "/transfers/{id}/data": {"get"}, "/transfers/{id}/data/{file}": {"get"},
                          "/browse": {"get"}}.items():
        assert methods <= set(described[root + path]), path


def test_what_was_given_and_taken_is_shown_and_survives_kill_9(
        two: tuple[Client, Client], start_node: StartNode, tmp_path: Path) -> None:
    a, b = two
    published = a.good("POST", "/publications", {"path": str(film(tmp_path / "in" / "film"))})
    output = tmp_path / "out"
    output.mkdir()
    begun = b.good("POST", "/transfers", {"content_id": published["content_id"], "output": str(output)})
    wait_for(lambda: b.good("GET", f"/transfers/{begun['id']}")["state"] == "done", PATIENCE)

    def totals(client: Client, other: Client) -> tuple[int, int]:
        [peer] = [peer for peer in client.good("GET", "/peers")["peers"] if peer["mid"] == other.node.mid]
        assert (peer["helped_up"], peer["helped_down"], peer["named_at"]) == (0, 0, None)
        return peer["total_up"], peer["total_down"]

    size = published["size"]
    wait_for(lambda: totals(a, b)[0] >= size and totals(b, a)[1] >= size, PATIENCE)
    assert (totals(a, b)[1], totals(b, a)[0]) == (0, 0)
    before = totals(b, a)
    b.node.kill()
    again = Client(start_node("b"))
    assert totals(again, a) >= before
