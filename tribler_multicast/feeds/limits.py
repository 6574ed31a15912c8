"""
Every bound of feeds, and the failure or attack it stops.

Whoever writes a feed, and whoever sits between it and us, may send anything: what is not bounded here, they choose.
"""
from __future__ import annotations

from typing import Final

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86400.0

MAX_FEEDS: Final = 200
"""Feeds subscribed to. A program in a loop must not make this node poll the whole web."""

MAX_URL: Final = 2048
"""Characters of a URL, of a feed, a link or a redirect. Longer ones are no use to servers and fill memory and logs."""

MAX_FEED_SIZE: Final = 4 << 20
"""Bytes of a feed, counted after it was unpacked: a gzip bomb of 4 KiB is 4 MiB, and a feed of 1 GB never ends."""

MAX_TORRENT_SIZE: Final = 10_000_000
"""Bytes of a .torrent file: 10 MB describe some terabytes. It is read whole into memory."""

MAX_REDIRECTS: Final = 5
"""Redirects that are followed. A server that redirects to itself would be asked for ever."""

CONNECT_TIMEOUT: Final = 10.0
"""Seconds until a host must have taken the connection."""

SILENCE_TIMEOUT: Final = 20.0
"""Seconds without a byte until a connection is given up."""

TOTAL_TIMEOUT: Final = 90.0
"""Seconds for one request with all its redirects: a server that sends a byte now and then never falls silent."""

MAX_ELEMENTS: Final = 200_000
"""Elements of a feed: 4 MiB of `<a/>` are a million, each a call in Python."""

MAX_TAG: Final = 1 << 16
"""Bytes of one tag with its attributes, of which there could be 350,000."""

MAX_DEPTH: Final = 64
"""Elements within each other. Feeds have five levels, with XHTML inside some more."""

MAX_ITEMS: Final = 2_000
"""Items of a feed that are looked at, from its top, where the new ones are. The others are not read."""

MAX_TEXT: Final = 8_192
"""Characters kept of one text of a feed while it is read; what is shown is cut again."""

MAX_TITLE: Final = 300
"""Characters of a title that are shown and stored. A title of 4 MiB would be stored for each item."""

MAX_SEEN: Final = 10_000
"""Items remembered per feed; what is no longer in the feed is forgotten first, the oldest of it. A feed that
invents items for ever must not fill the disk."""

MAX_WAITING: Final = 2_000
"""Items per feed that wait to be fetched. More are taken at a later look."""

MAX_BEGUN_PER_DAY: Final = 100
"""Downloads begun for one feed in 24 hours: a feed that was taken over must not fill the disk in an hour. The others
wait for their turn."""

MAX_ITEM_TRIES: Final = 12
"""Tries to get an item until it counts as failed; with the pauses between them some two days."""

FIRST_PAUSE: Final = MINUTE
"""Seconds until the first new try after an error; it doubles with each, to MAX_PAUSE."""

MAX_PAUSE: Final = 6 * HOUR
"""Longest pause between two tries after errors: what is back after a week's outage is seen on the same day."""

JITTER: Final = 0.25
"""Share of a pause by which it is longer or shorter, by lot: thousands of nodes that lost the same server at the same
second must not come back in the same second."""

LEAST_HINT: Final = 5 * MINUTE
"""Shortest interval that a feed itself can ask for; where the user's own is shorter, that one."""

MOST_HINT: Final = DAY
"""Longest one: `max-age` of a year, mostly a mistake, would be the end of a subscription."""

MAX_AT_ONCE: Final = 4
"""Feeds that are looked at, or fetched from, at the same time; one feed never takes more than one of these places."""

BUSY_TIMEOUT: Final = 2.0
"""Seconds to wait for another program's lock on the database: a backup, mostly. In a thread of its own."""

MAX_SET_ASIDE: Final = 100
"""Damaged databases set aside; a search for a free name must end."""

MAX_PUBLISHED: Final = 1_000
"""Torrents in the own feed's store; the oldest go when there are more. Their .torrent files are on the disk."""

OWN_FEED_ITEMS: Final = 100
"""Items in the own feed, the newest: some 60 KiB for each request for it."""

MAX_CONNECTIONS: Final = 64
"""Connections to the own feed's server at a time."""

MAX_CONNECTIONS_PER_ADDRESS: Final = 16
"""The same from one address, so that one host can't take them all."""

MAX_CONNECTION_TIME: Final = 120.0
"""Seconds that a connection to it lasts at most: whoever sends a header a minute, or takes a byte a minute, is not
waited for. The largest .torrent file takes 120 s at 0.7 Mbit/s."""

IDLE_TIMEOUT: Final = 15.0
"""Seconds that such a connection may rest between two requests."""

PART_SIZE: Final = 1 << 18
"""Bytes of a .torrent file in memory per connection to it: 64 that take 10 MB at their leisure would hold 640 MB."""

MAX_BUILT: Final = 16
"""Own feeds kept as bytes, one per name by which the server is called: requests cost no building, and whoever invents
names does not fill memory."""

MAX_REQUEST_LINE: Final = 1_024
"""Bytes of a request line, and of a header, that the server reads. Ours have some 100."""

LOG_INTERVAL: Final = 60.0
"""Seconds between two log lines of a kind: requests of strangers must not fill the disk by the log."""

UPLOAD_TIMEOUT: Final = 60.0
"""Seconds for an upload with all its redirects."""

CLOSE_TIMEOUT: Final = 0.2
"""Seconds that requests may still take when the node stops."""
