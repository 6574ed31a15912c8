"""Tribler 8.4 as the client. The only room that imports Tribler, and only inside functions: see docs/tribler.md."""
