"""
How a live stream crosses a network: blocks, signed and coded; sans-IO, `now` is an argument.
"""
