"""The simulator: hosts, cores, links and the protocol machines of `sdcore.protocol` in simulated time.

It runs without a compiler: nothing here imports `sdcore.native`.
"""
