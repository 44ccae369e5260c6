"""A shop that is attacked by `power` and `corrupt`: its business, a day of work, and the books that must be right.

business   three contexts, a gateway, and sagas of every kind
day        the program that works in it, and says what it was acknowledged; what was left undone is brought to an end
books      what is in the files of a store, read without the runtime, and what must be true of it
pages      the files of a store as bytes, and what SQLite makes of them
"""
