"""
The weather of a running node: `service` gives its state machines answers, claims and time, and does what they say.
"""
