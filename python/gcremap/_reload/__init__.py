"""Reload modules so that nothing stale is left."""

from gcremap._reload.patch import Patch, patch
from gcremap._reload.reloader import Reloader, reload, reload_all
from gcremap._reload.report import ReloadReport
from gcremap._reload.script import exec_file

__all__ = ["Patch", "ReloadReport", "Reloader", "exec_file", "patch", "reload", "reload_all"]
