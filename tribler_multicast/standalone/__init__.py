"""
A client of our own: a node with no Tribler, its state on disk and its life from start to goodbye.
"""
