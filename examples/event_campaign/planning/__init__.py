"""Planning: what the board is reminded of, and the decision to call a campaign off."""
