"""Interfaces, sockets and datagrams of the local network. Knows no meaning."""
