"""What children that ask about every object of a large heap begin with."""

PRELUDE = r"""
import collections, gc, importlib, json, os, sys, types, warnings

warnings.simplefilter("ignore")
from gcremap import _native

SKIPPED = {"antigravity", "this", "idlelib", "test", "turtledemo", "lib2to3", "tkinter", "turtle"}
FULL, HIDDEN, PERHAPS_SHOWN = 2, 1, 4
PROBED_OF_A_TYPE = 20


def load():
    for name in sorted(sys.stdlib_module_names):
        if name not in SKIPPED and not name.startswith(("_test", "_x", "__")):
            try:
                importlib.import_module(name)
            except BaseException:
                pass
"""
"""Imports the standard library, given `load()`."""
