"""The same order saga on other engines. Each module is a program that runs in an environment of its own.

It is started by `benchmarks.peering`, tells what it guarantees, and then runs as many orders as it is asked to, see
`talk`. It imports nothing of ours but `talk` and `steps`.
"""
