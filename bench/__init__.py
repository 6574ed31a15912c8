"""
Benchmarks, side by side with what else there is. `make bench` runs them all, `python -m bench.join` one.

Each starts what it compares with in the same run, on the same machine, and prints the ratio. Figures from a machine
that does other things meanwhile are worth little: the load before and after is in the output.
"""
