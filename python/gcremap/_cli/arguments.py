"""What can be said on the command line, and who does it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import gcremap
from gcremap._cli import attach, program


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = _parser()
    given = sys.argv[1:] if arguments is None else list(arguments)
    chosen = parser.parse_args(given)
    if chosen.command == "run":
        if not (chosen.module or chosen.program):
            parser.error("run: say which script, or which module with -m")
        return _run(chosen)
    if chosen.command == "attach":
        return _attach(parser, chosen)
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
    attaching = commands.add_parser(
        "attach",
        help="reload modules of programs that run already (Python 3.14 and later)",
        usage="%(prog)s [-h] [--timeout SECONDS] (PID ... | --children PID) reload MODULE ...",
    )
    attaching.add_argument(
        "--children", type=int, metavar="PID", help="all that this process has started"
    )
    attaching.add_argument(
        "--timeout",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="how long to wait for them to come to a safe point",
    )
    attaching.add_argument("words", nargs="*", help="process ids, the word reload, modules")
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


def _attach(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> int:
    words: list[str] = chosen.words
    at = words.index("reload") if "reload" in words else len(words)
    pids, names = words[:at], words[at + 1 :]
    if not names or not all(pid.isdecimal() for pid in pids):
        parser.error("attach: say which processes, then: reload MODULE ...")
    if bool(pids) == (chosen.children is not None):
        parser.error("attach: say either process ids or --children PID")
    processes = [int(pid) for pid in pids]
    if chosen.children is not None:
        processes = attach.descendants(chosen.children)
        if not processes:
            print(f"gcremap: process {chosen.children} has no children", file=sys.stderr)
            return 1
    try:
        answers = attach.reload(processes, names, chosen.timeout)
    except NotImplementedError as error:
        print(f"gcremap: {error}", file=sys.stderr)
        return 2
    return max([_say(answer, names, chosen.timeout) for answer in answers])


def _say(answer: attach.Answer, names: list[str], timeout: float) -> int:
    """Print what a process did; returns 1 if it did not, else 0."""
    if answer.refused is not None:
        problem = f"not reloaded: {answer.refused}"
    elif answer.pending:
        problem = f"busy or asleep for {timeout:g} s; it reloads as soon as it is not"
    elif answer.error is not None:
        print(answer.error, end="", file=sys.stderr)
        problem = "not reloaded, nothing has changed"
    elif not answer.reports:
        problem = f"has not imported {', '.join(names)}"
    else:
        for report in answer.reports:
            facts = [f"{word} {', '.join(what)}" for word, what in report.items()
                     if word != "module" and what]  # fmt: skip
            print(f"{answer.pid}: {report['module']}: {'; '.join(facts) or 'nothing to change'}")
        return 0
    print(f"{answer.pid}: {problem}", file=sys.stderr)
    return 1
