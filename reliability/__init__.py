"""The fault tests that make the guarantees true; a package beside `benchmarks/`, not shipped in the wheel.

python3 run.py reliability COMMAND [--size small|nightly|release] [--record]

Each command is a module, or a package, of this one with the name of the command. It attacks the runtime in one way,
says how often and with which seeds, and prints for every violation one line that shows it again.
"""
