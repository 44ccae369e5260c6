"""Sagas to read and to run. They are no part of the library, and know its promised names only."""
