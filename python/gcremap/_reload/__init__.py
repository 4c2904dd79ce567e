"""Reload modules so that nothing stale is left."""
