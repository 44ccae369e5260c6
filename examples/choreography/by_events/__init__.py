"""A chain of events. Each context listens to what concerns it, and tells what it has done; nobody knows the whole."""
