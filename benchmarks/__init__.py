"""Benchmarks: how fast sagas run, as figures and as ratios to a hand-written loop, and to others, in the same run.

python3 run.py bench [--quick] [--only NAME ...] [--peers [PEER ...]] [--json FILE]
python3 run.py bench --publish FILE

A family of figures is a module, listed in `registry`. docs/performance.md tells what each of them means.
"""
