"""The trial: the shop runs in its own process, is killed, comes back; in the end its books are checked."""
