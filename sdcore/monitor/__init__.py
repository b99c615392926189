"""The daemon that every process using sdcore meets: who may share memory with whom, and what happened to whom.

`decisions` is the sans-I/O part, run by the simulator too. `daemon` gives it sockets, memory and process deaths.
"""
