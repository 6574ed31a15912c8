"""
Where what arrives is kept: in place, durable in groups, under its name when it is whole.
"""
