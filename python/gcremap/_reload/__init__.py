"""Reload modules so that nothing stale is left."""

from gcremap._reload.reloader import Reloader, reload, reload_all
from gcremap._reload.report import ReloadReport

__all__ = ["ReloadReport", "Reloader", "reload", "reload_all"]
