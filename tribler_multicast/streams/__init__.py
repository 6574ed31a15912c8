"""
Live streams: what one node produces now, others play a moment later.
"""
