"""
The shapes of requests and answers, for the documentation in ``/docs``.
"""
from __future__ import annotations

from typing import Any

from ipv8.REST.schema import schema as ipv8_schema
from marshmallow import Schema
from marshmallow.fields import Boolean, Dict, Float, Integer, List, Nested, Raw, String


def schema(**spec: dict[str, Any]) -> Schema:
    """
    Make a schema from one name and its fields, as Tribler does.
    """
    return ipv8_schema(**spec)


def _text(description: str, allow_none: bool = False) -> String:
    return String(metadata={"description": description}, allow_none=allow_none)


class PeerAddressSchema(Schema):
    """
    An address of a peer.
    """

    family = _text("ipv4 or ipv6")
    ip = String()
    port = Integer()


class MulticastPeerSchema(Schema):
    """
    A peer: what is known of it now, and what is remembered.
    """

    mid = _text("hash of the public key, hex")
    public_key = _text("IPv8 public key, hex")
    nickname = _text("may be empty")
    is_local = Boolean(metadata={"description": "verified on a LAN of ours now"})
    was_local = Boolean(metadata={"description": "verified on a LAN of ours at some time"})
    online = Boolean(metadata={"description": "answers now"})
    addresses = List(Nested(PeerAddressSchema))
    interface = String(allow_none=True)
    rtt_ms = Float(allow_none=True)
    first_seen = Float(metadata={"description": "Unix seconds"})
    last_seen = Float(metadata={"description": "Unix seconds"})
    capabilities = List(String())
    friend = _text("none, sent, received or mutual")
    activity = String(allow_none=True)
    up = Float(allow_none=True, metadata={"description": "bytes/s"})
    down = Float(allow_none=True, metadata={"description": "bytes/s"})
    total_up = Integer(allow_none=True, metadata={"description": "bytes"})
    total_down = Integer(allow_none=True, metadata={"description": "bytes"})
    helped_up = Integer(allow_none=True, metadata={"description": "bytes, of total_up: given as a helper"})
    helped_down = Integer(allow_none=True, metadata={"description": "bytes, of total_down: taken from it as a helper"})
    named_at = Float(allow_none=True, metadata={"description": "Unix seconds: it was caught sending bad data"})
    receipt_given = Integer(allow_none=True, metadata={"description": "bytes that it signed to have taken from us"})
    receipt_taken = Integer(allow_none=True, metadata={
        "description": "bytes that we signed to have taken from it, and it agreed to"})
    credit = Integer(allow_none=True, metadata={
        "description": "bytes that it gave more than it took: who has some is served first"})


PeerSchema = MulticastPeerSchema
"""Short for here; the documentation has the class's name, and in Tribler another ``Peer`` already."""


class GatewaySchema(Schema):
    """
    The default gateway of a network, which tells it from others.
    """

    ip = String()
    hardware_address = String(allow_none=True)


class InterfaceSchema(Schema):
    """
    A network interface that is used.
    """

    name = String()
    index = Integer()
    addresses = List(String())
    joined = List(String(), metadata={"description": "families in which the multicast group is joined"})
    error = _text("why it is not joined", allow_none=True)
    note = _text("vpn, container or empty")
    port = Integer(allow_none=True, metadata={"description": "UDP port of this node's own messages"})
    gateway = Nested(GatewaySchema, allow_none=True)
    visibility = _text("in force there: visible, listen or off")


class GroupSchema(Schema):
    """
    How the group is that this node is in.
    """

    foreign_at = Float(allow_none=True, metadata={
        "description": "Unix seconds: when something sealed came last that does not open in this group"})
    foreign_from = _text("the IP address it came from", allow_none=True)
    warning = _text("one line about that, while it is recent", allow_none=True)


class CountersSchema(Schema):
    """
    Messages since the start.
    """

    sent = Dict(keys=String(), values=Integer(), metadata={"description": "by kind"})
    received = Dict(keys=String(), values=Integer(), metadata={"description": "by kind"})
    dropped = Dict(keys=String(), values=Integer(), metadata={"description": "by reason"})
    datagrams = Dict(keys=String(), values=Integer(), metadata={"description": "datagrams and bytes, both ways"})
    transfers = Dict(keys=String(), values=Integer(), metadata={"description": "of coded transfers, by what happened"})


class SettingSchema(Schema):
    """
    A setting with its limits and its value.
    """

    name = String()
    type = _text("bool, int, float, str or list")
    unit = String()
    default = Raw()
    minimum = Float(allow_none=True)
    maximum = Float(allow_none=True)
    choices = List(String(), allow_none=True)
    help = String()
    value = Raw()
    is_set = Boolean()
    needs_restart = Boolean()
    source = _text("command line, environment, file or default")


class FindingSchema(Schema):
    """
    Something the doctor found.
    """

    what = String()
    severity = _text("ok, info, warning or error")
    advice = _text("what to do, empty when there is nothing to do")


class AnnouncementSchema(Schema):
    """
    An announcement that was received.
    """

    seq = Integer(metadata={"description": "this node's own count of what it received since its start"})
    mid = _text("who sent it, hex")
    values = List(Raw(), metadata={"description": 'bytes are {"hex": "..."}'})
    received_at = Float(metadata={"description": "Unix seconds"})


class PingResultSchema(Schema):
    """
    What pinging one peer gave.
    """

    mid = _text("who answered, hex")
    sent = Integer()
    received = Integer()
    loss = Float(metadata={"description": "share of the pings that no answer came to, 0 to 1"})
    min_ms = Float(allow_none=True, metadata={"description": "multicast there, unicast back"})
    avg_ms = Float(allow_none=True)
    max_ms = Float(allow_none=True)
    unicast_rtt_ms = Float(allow_none=True, metadata={"description": "unicast both ways, at the same time"})
    throughput_mbps = Float(allow_none=True, metadata={
        "description": "Mbit/s by multicast, counted in whole Ethernet frames; null: not measured"})


class FoundSchema(Schema):
    """
    Something that local peers have.
    """

    kind = _text("torrent, coded, stream or file")
    name = String()
    size = Integer(allow_none=True, metadata={"description": "bytes"})
    infohash = _text("of a torrent, or of the torrent that is streamed from, hex", allow_none=True)
    content_id = _text("of what is sent coded, hex", allow_none=True)
    stream_id = _text("of a live stream, hex", allow_none=True)
    file_id = _text("of a shared file, hex", allow_none=True)
    peers = List(String(), metadata={"description": "mids of those who have it or know of it, hex"})
    holders = List(String(), metadata={"description": "mids of those who have it"})


class TransferSchema(Schema):
    """
    A torrent, and how it goes on.
    """

    infohash = _text("hex")
    name = String()
    state = _text("checking, metadata, downloading, seeding, paused or failed")
    progress = Float(metadata={"description": "0 to 1, of what is wanted"})
    size = Integer(allow_none=True, metadata={"description": "bytes"})
    path = _text("where the data is, or is to be: a file or a folder")
    up = Float(metadata={"description": "bytes/s"})
    down = Float(metadata={"description": "bytes/s"})
    total_up = Integer(metadata={"description": "bytes"})
    total_down = Integer(metadata={"description": "bytes"})
    peers = Integer()
    up_limit = Integer(allow_none=True, metadata={"description": "bytes/s, null: none of its own"})
    down_limit = Integer(allow_none=True, metadata={"description": "bytes/s, null: none of its own"})
    eta_s = Float(allow_none=True, metadata={"description": "seconds until it is complete"})
    stream = _text("inside Tribler: the path on its server where its largest film or sound plays while it arrives",
                   allow_none=True)
    error = _text("why it cannot go on", allow_none=True)


class FeedSchema(Schema):
    """
    A feed that is subscribed to.
    """

    id = String()
    url = String()
    title = String()
    state = _text("waiting, checking, ok or failing")
    last_check = Float(allow_none=True, metadata={"description": "Unix seconds"})
    next_check = Float(metadata={"description": "Unix seconds"})
    error = _text("why the last look failed", allow_none=True)
    seen = Integer(metadata={"description": "items with a torrent"})
    begun = Integer(metadata={"description": "downloads begun"})
    waiting = Integer(metadata={"description": "items still to be fetched"})


class PublishedSchema(Schema):
    """
    A torrent in the node's own feed.
    """

    infohash = _text("hex")
    title = String()
    url = _text("where its .torrent is served, null: nowhere", allow_none=True)
    uploaded = Boolean(allow_none=True, metadata={"description": "to the web server that is set; null: to none"})
    error = _text("why it was not, or not yet", allow_none=True)


class OwnFeedSchema(Schema):
    """
    The feed of what this node publishes.
    """

    url = _text("where it is served, null: nowhere", allow_none=True)
    error = _text("what keeps it from that", allow_none=True)
    published = List(Nested(PublishedSchema))


class ErrorDetailSchema(Schema):
    """
    What went wrong.
    """

    handled = Boolean()
    message = String()


class ErrorSchema(Schema):
    """
    An error in Tribler's shape.
    """

    error = Nested(ErrorDetailSchema)


StatusSchema = schema(MulticastStatus={
    "version": String,
    "client": (String, "standalone or tribler"),
    "mid": (String, "of this node, hex"),
    "public_key": (String, "IPv8 public key of this node, hex"),
    "nickname": String,
    "policy": (String, "who may talk with this node, the rule in force: everyone, friends or group"),
    "group": Nested(GroupSchema, allow_none=True),
    "uptime": (Float, "seconds"),
    "interfaces": [InterfaceSchema],
    "counters": CountersSchema,
    "features": ([String], "what this node does now, of coded, feeds, torrents, weather"),
})
PeersSchema = schema(MulticastPeers={"peers": [PeerSchema]})
DiscoverSchema = schema(MulticastDiscover={
    "timeout": (Float, "seconds to collect answers"),
    "capabilities": ([String], "only peers that have all of these"),
})
SettingsSchema = schema(MulticastSettingsList={"settings": [SettingSchema]})
SettingsChangeSchema = schema(MulticastSettingsChange={"nickname": (String, "any setting by its name, any number")})
FindingsSchema = schema(MulticastFindings={"findings": [FindingSchema]})
AnnounceSchema = schema(MulticastAnnounce={
    "values": ([Raw], 'any JSON values; bytes are {"hex": "..."}'),
})
AnnouncedSchema = schema(MulticastAnnounced={"seq": (Integer, "the number of the announcement at its sender")})
AnnouncementsSchema = schema(MulticastAnnouncements={
    "announcements": [AnnouncementSchema],
    "last": (Integer, "the newest seq given; less than since: this node was restarted"),
})
PingSchema = schema(MulticastPing={
    "mid": (String, "of a node that is local now, hex; absent: all"),
    "count": (Integer, "1 to 100, default 4"),
    "throughput": (Boolean, "measure throughput too, by up to 14 MB of packets to the group; default false"),
})
PingResultsSchema = schema(MulticastPingResults={"results": [PingResultSchema]})
FoundListSchema = schema(MulticastFoundList={"results": [FoundSchema]})
DownloadSchema = schema(MulticastDownload={
    "infohash": (String, "hex; from the local network only. Or one of:"),
    "file_id": (String, "of a shared file, hex: its sharer makes a torrent of it first"),
    "magnet": (String, "a magnet link"),
    "torrent": (String, "the absolute path, on the node's machine, or the URL of a .torrent file"),
    "peer": (String, "mid of the local node to download from; absent: who said to have it, or all with BitTorrent"),
    "folder": (String, "not with file_id: where to, on the node's machine, absolute; absent: the setting"),
    "timeout": (Float, "with file_id: seconds to wait for the sharer, 0 to 120, default 30"),
})
DownloadingSchema = schema(MulticastDownloading={
    "infohash": (String, "hex"),
    "peers": ([String], "mids of those it is downloaded from, hex"),
    "file_id": (String, "of the shared file, when it was one, hex"),
})
FileWaitSchema = schema(MulticastFileWait={
    "file_id": (String, "hex"),
    "state": (String, "asking, waiting (the sharer does others first), hashing, or ready: the download begins"),
    "progress": Float(allow_none=True, metadata={"description": "how much of it is hashed, 0 to 1"}),
})
FileGivenUpSchema = schema(MulticastFileGivenUp={"file_id": (String, "hex")})
DeclareActivitySchema = schema(MulticastDeclareActivity={
    "class": (String, "idle, bulk, on_demand or live"),
    "up": (Float, "bytes/s; absent: what the client measures"),
    "down": (Float, "bytes/s; absent: what the client measures"),
    "ttl": (Float, "seconds that this counts"),
})
ActivitySchema = schema(MulticastActivity={
    "class": (String, "idle, bulk, on_demand or live"),
    "up": Float(allow_none=True, metadata={"description": "bytes/s"}),
    "down": Float(allow_none=True, metadata={"description": "bytes/s"}),
    "declared": (Boolean, "whether it was declared, or is what the client does"),
    "until": Float(allow_none=True, metadata={"description": "Unix seconds: when the declared one expires"}),
})


def _number(description: str) -> Float:
    return Float(allow_none=True, metadata={"description": description})


WeatherSchema = schema(MulticastWeather={
    "gateway": Nested(schema(MulticastWeatherGateway={
        "state": (String, "clear, suspected, congested or unknown"),
        "delay_ms": _number("queue at the gateway as this node feels it"),
        "up": _number("what it passes up, bytes/s"), "up_confidence": (Float, "0 to 1"),
        "down": _number("what it passes down, bytes/s"), "down_confidence": (Float, "0 to 1"),
        "members": List(String(), metadata={"description": "other nodes behind it"})})),
    "own_link": Nested(schema(MulticastWeatherLink={
        "state": (String, "of the way to the gateway: clear, unsteady, slow or unknown"),
        "delay_ms": _number("its queue")})),
    "nodes": List(Nested(schema(MulticastWeatherNode={
        "mid": (String, "hex"), "activity": (String, "idle, bulk, on_demand or live"),
        "up": (Float, "bytes/s, coarsely"), "down": (Float, "bytes/s, coarsely"),
        "age": (Float, "seconds since it said so"),
        "same_gateway": (Boolean, "whether it is behind our gateway"), "delay_ms": _number("queue it feels"),
        "own_link_slow": (Boolean, "its own link is the bottleneck"),
        "needs_room": (Boolean, "other programs on its machine need room")}))),
    "limit": Nested(schema(MulticastWeatherLimit={
        "up": _number("bytes/s of bulk traffic in force now"), "down": _number("the same"),
        "why": String(allow_none=True, metadata={"description": "live, on_demand, room or congested"}),
        "text": String(allow_none=True, metadata={"description": "both in a sentence for users"})})),
})
WeatherHistorySchema = schema(MulticastWeatherHistory={
    "history": List(Nested(schema(MulticastWeatherMinute={
        "time": (Float, "Unix seconds: when the minute began"), "seconds": (Float, "how long it is"),
        "state": (String, "the worst in it"), "delay_ms": _number("the longest queue"),
        "up": (Float, "bytes/s of all nodes together, the highest"), "down": (Float, "the same"),
        "limit_up": _number("the lowest limit in force"), "limit_down": _number("the same")}))),
})
MakeTorrentSchema = schema(MulticastMakeTorrent={
    "path": (String, "a file or folder on the node's machine, absolute"),
    "output": (String, "where the .torrent goes: a new file, or into a folder; absent: nowhere"),
    "seed": (Boolean, "whether to seed it, default true"),
    "publish": (Boolean, "whether to put it into the node's own feed, default false"),
    "trackers": ([String], "URLs"),
    "title": (String, "in the feed; absent: the name"),
})
MadeTorrentSchema = schema(MulticastMadeTorrent={
    "infohash": (String, "hex"),
    "name": String,
    "size": (Integer, "bytes"),
    "path": (String, "what it was made of"),
    "file": String(allow_none=True, metadata={"description": "where the .torrent is"}),
    "magnet": String,
    "published": Nested(PublishedSchema, allow_none=True),
})
DownloadsSchema = schema(MulticastDownloads={"downloads": [TransferSchema]})
LimitSchema = schema(MulticastLimit={
    "up": Integer(allow_none=True, metadata={"description": "bytes/s; null or 0: no limit; absent: as it is"}),
    "down": Integer(allow_none=True, metadata={"description": "bytes/s"}),
})
StoppedSchema = schema(MulticastStopped={"infohash": String, "deleted": (Boolean, "whether its data was")})
FeedsSchema = schema(MulticastFeeds={"feeds": [FeedSchema], "own": OwnFeedSchema})
AddFeedSchema = schema(MulticastAddFeed={
    "url": (String, "of an RSS or Atom feed"),
    "first": (Integer, "how many of its newest items to download, beside those that come later; default 0"),
})
EventSchema = schema(MulticastEvent={"topic": String, "kwargs": Dict})


def answers(success: Any, *statuses: int) -> dict[int, dict[str, Any]]:  # noqa: ANN401
    """
    The answers of a call: 200 with its schema, errors in Tribler's shape.
    """
    return {200: {"schema": success}, **{status: {"schema": ErrorSchema} for status in (401, *statuses)}}
