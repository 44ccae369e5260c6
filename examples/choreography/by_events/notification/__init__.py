"""Notification: a context of this variant."""
