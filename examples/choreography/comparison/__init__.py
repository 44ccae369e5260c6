"""Changes both variants on a copy, proves by their books that they do what they should, and measures the change."""
