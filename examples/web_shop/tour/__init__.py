"""A tour: talks to the shop over HTTP, prints what is said, kills the server and starts it again."""
