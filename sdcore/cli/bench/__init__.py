"""`sdcore bench`: kernel TCP, Unix sockets and sdcore in alternation, measured by one and the same program.

measures.py   what is measured, at which sizes, how often; the table that everything else reads
pair.py       two processes of sd-bench-worker (worker/*.c): a server and a client
routes.py     the environment of each transport, a monitor of our own, and the proof of what went through shared memory
runner.py     the order of runs: transports in alternation, so that drift of the machine meets all of them alike
summary.py    median, 99th percentile, ratio
targets.py    what the project wants to reach
model.py      the report, as `--json` writes it
table.py, plots.py    the report for people
redis.py      redis-server and redis-benchmark, for the measure `redis` and for the demo
"""
