"""Passages in a better order."""
