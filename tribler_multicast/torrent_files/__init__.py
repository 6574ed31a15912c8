"""Torrents made of files and folders, with no libtorrent: equal ones in every client."""
