"""Live streams between real nodes on a LAN: by multicast, proved, repaired by fellow viewers."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .node import wait_all_local
from .streaming import Feeder, Player

if TYPE_CHECKING:
    from .node import Node
    from .testbed import Lan

RATE = 500_000


def wait_on_air(node: Node, stream_id: str) -> None:
    """Wait until a node knows of a stream."""
    def is_listed() -> bool:
        return any(each["stream_id"] == stream_id for each in node.rest("GET", "/streams?timeout=0.3")["streams"])

    node.wait_for(is_listed, 20, "the stream is listed")


def test_three_play_what_one_streams_and_it_is_sent_once(lan: Lan, loss: None) -> None:
    machines = lan.machines(4)
    for machine in machines:
        machine.namespace.ip("link set eth0 gso_max_segs 1")  # Else eight datagrams are lost at once.
        machine.shape(20)
        machine.lose(2)
    source, *viewers = (machine.node(introduction_interval=1) for machine in machines)
    wait_all_local([source, *viewers])
    feeder = Feeder(source, "camera", RATE)
    for viewer in viewers:
        wait_on_air(viewer, feeder.stream_id)
    sniffer = machines[0].sniff()
    players = [Player(viewer, feeder.stream_id) for viewer in viewers]
    for player, viewer in zip(players, viewers, strict=True):
        viewer.wait_for(lambda player=player: len(player.delays) > 400, 30, "it plays")
    counted = sum(packet.size for packet in sniffer.stop() if packet.sent)
    feeder.stop()
    for player in players:
        player.wait()
        assert player.over, player.error
        assert (player.wrong, player.next_record) == (0, feeder.count)
    played = max(player.bytes for player in players)
    print(f"sent {counted / played:.2f} of what one played", [player.first_byte for player in players],
          [sorted(each[1] for each in player.delays)[len(player.delays) * 95 // 100] for player in players])
    print(viewers[0].status()["counters"].get("transfers"))
    print(source.status()["counters"].get("transfers"))
    assert counted < 2 * played
