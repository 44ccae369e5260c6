"""Benchmarks: how fast sagas run, as figures and as ratios to a hand-written loop in the same run.

python3 run.py bench [--quick] [--only sagas|events] [--json FILE]
"""
