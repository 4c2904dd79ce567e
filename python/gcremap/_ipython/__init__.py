"""The IPython extension: `%load_ext gcremap`."""

from gcremap._ipython.magics import load, unload

__all__ = ["load", "unload"]
