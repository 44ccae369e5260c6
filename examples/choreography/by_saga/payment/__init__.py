"""Payment: a context of this variant."""
