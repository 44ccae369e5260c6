"""The shop as the web sees it. It knows the runtime and the messages, and nothing of how they are carried out."""
