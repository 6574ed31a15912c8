"""
BitTorrent of the standalone node, by libtorrent: `TorrentEngine` is what `tribler_multicast.torrents` promises.
"""
from .engine import TorrentEngine

__all__ = ["TorrentEngine"]
