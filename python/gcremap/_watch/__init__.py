"""Reload on save."""
