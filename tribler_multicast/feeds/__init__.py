"""
Feeds: those this node subscribes to (RSS 2.0, Atom), and the one of what it publishes itself.

`feeds.Feeds` is what others use. Nothing here knows the LAN, or what a torrent does once its download has begun.
"""
