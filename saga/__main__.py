"""`python -m saga`: the command line."""

from saga.cli.main import main

main()
