"""Subscribe: an episode that is published on one machine is there, and plays, on another, with no hand in between."""
from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from .node import RestError
from .test_coded import publish
from .testbed import Families

if TYPE_CHECKING:
    from pathlib import Path

    from .testbed import Lan

PATIENCE = 60.0


def test_an_episode_published_on_a_plays_on_b_with_no_hand_in_between(lan: Lan, tmp_path: Path) -> None:
    here, there = lan.machines(2, Families.DUAL)
    a, b = here.node("studio", introduction_interval=1), there.node(introduction_interval=1)
    a.wait_local(b)
    b.wait_local(a)
    (tmp_path / "films").mkdir()
    content = {f"episode {number}.mkv": os.urandom(3_000_000) for number in range(3)}
    for name, data in content.items():
        (tmp_path / "films" / name).write_bytes(data)
    publish(a, tmp_path / "films" / "episode 0.mkv")
    with pytest.raises(RestError, match="no node"):
        b.rest("POST", "/subscriptions", {"mid": "ab" * 20})
    events = b.events()
    folder = tmp_path / "at-b"
    begun = b.rest("POST", "/subscriptions", {"mid": a.mid, "folder": str(folder)})
    assert (begun["mid"], begun["begun"], begun["error"]) == (a.mid, [], None)
    assert begun["last_look"] is not None

    published = time.monotonic()
    content_id = publish(a, tmp_path / "films" / "episode 1.mkv")
    b.wait_for((folder / "episode 1.mkv").exists, PATIENCE, "the episode is there")
    print(f"an episode of 3 MB was there {time.monotonic() - published:.1f} s after it was published")
    assert (folder / "episode 1.mkv").read_bytes() == content["episode 1.mkv"]
    _, event = events.wait_for("multicast_subscription")
    assert (event["mid"], event["content_id"], event["name"]) == (a.mid, content_id, "episode 1.mkv")

    # It plays: what a player reads is the episode.
    connection = b.connection()
    connection.request("GET", f"/api/multicast/transfers/{event['id']}/data", headers=b.headers)
    assert connection.getresponse().read() == content["episode 1.mkv"]

    # Both are restarted, and it goes on; what was there at first never comes.
    b.stop()
    publish(a, tmp_path / "films" / "episode 2.mkv")
    again = there.node("again", introduction_interval=1, state=b.state)
    again.wait_for((folder / "episode 2.mkv").exists, PATIENCE, "what came meanwhile is there")
    [shown] = again.rest("GET", "/subscriptions")["subscriptions"]
    assert [each["name"] for each in shown["begun"]] == ["episode 2.mkv", "episode 1.mkv"]
    assert sorted(path.name for path in folder.iterdir() if path.suffix == ".mkv") == [
        "episode 1.mkv", "episode 2.mkv"]
    assert again.rest("DELETE", f"/subscriptions/{a.mid}")["mid"] == a.mid
    assert again.rest("GET", "/subscriptions") == {"subscriptions": []}
