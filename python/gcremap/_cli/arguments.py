"""What can be said on the command line, and who does it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import gcremap
from gcremap._cli import program


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = _parser()
    given = sys.argv[1:] if arguments is None else list(arguments)
    chosen = parser.parse_args(given)
    if chosen.command == "run":
        if not (chosen.module or chosen.program):
            parser.error("run: say which script, or which module with -m")
        return _run(chosen)
    parser.print_help()
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gcremap", description="Change a Python program while it runs."
    )
    parser.add_argument("--version", action="version", version=f"gcremap {gcremap.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="run a program and reload its modules when their files are saved",
        usage="%(prog)s [-h] [--watch PATH]... (SCRIPT | -m MODULE) [ARGUMENT ...]",
    )
    run.add_argument(
        "--watch",
        action="append",
        metavar="PATH",
        help="a file or folder to watch; by default the script's folder, or the current one",
    )
    run.add_argument("-m", dest="module", nargs=argparse.REMAINDER, help="run a module")
    run.add_argument("program", nargs=argparse.REMAINDER, help="the script and its arguments")
    return parser


def _run(chosen: argparse.Namespace) -> int:
    try:
        start = program.module(chosen.module) if chosen.module else program.script(chosen.program)
        # Stopped at exit: the program may go on in other threads after its last line.
        gcremap.watch(*(chosen.watch or [start.folder]))
    except (ImportError, FileNotFoundError) as error:
        print(f"gcremap: {error}", file=sys.stderr)
        return 2
    return start.run()
