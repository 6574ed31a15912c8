"""
Network coding over GF(2^8). Knows no network: bytes in, bytes out.
"""
