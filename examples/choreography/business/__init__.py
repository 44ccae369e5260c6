"""What the contexts can do, and the tables they do it in. Who tells them to is the business of the two variants."""
