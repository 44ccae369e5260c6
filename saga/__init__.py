"""Long-running business processes on actors, inside one Python process."""
