"""Notification: tells customers how their orders ended. It only listens, so it has no messages of its own."""
