"""Speakers: whom we have invited, and what they said. `find_speaker.py` is its process: one after the other."""
