"""Four campaigns, played in virtual time, and what has become of them. The refunds of the last one are killed."""
