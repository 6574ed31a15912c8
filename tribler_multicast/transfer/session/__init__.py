"""
Sessions: one sender, many receivers, one stream of coded packets. Bytes in, bytes and events out; no socket, no clock.
"""
