"""The command line."""

from gcremap._cli.arguments import main

__all__ = ["main"]
