"""Reload on save."""

from gcremap._watch.outcome import Outcome
from gcremap._watch.watcher import Watcher, watch

__all__ = ["Outcome", "Watcher", "watch"]
