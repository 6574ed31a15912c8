"""
An HTTP tracker (BEP 3, 7, 23, 48) for BitTorrent clients of any make: it knows those that announced themselves to it,
and by the overlay those of the neighbours.
"""
