"""
What of a format must be known to begin in the middle of a stream, and to cut it.
"""
