"""
Live streams on the event loop: sockets, timers, and what is said around them.
"""
