"""A table of what child processes say: a row for each name, a column for each mode."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence

SECONDS = 900
"""For one child."""


def print_table(
    what: str,
    names: Iterable[str],
    modes: Sequence[str],
    command: Callable[[str, str], list[str]],
    counts: Callable[[str, str], bool] = lambda name, mode: True,
) -> int:
    """Print the last line that each child says, and return how many of those that count went
    wrong: said neither "ok" nor "not installed" first.

    `command` gives the script and its arguments for a name and a mode.
    """
    wrong = 0
    print(f"| {what} | " + " | ".join(modes) + " |")
    print("|---" * (len(modes) + 1) + "|")
    for name in names:
        row = []
        for mode in modes:
            done = subprocess.run(
                [sys.executable, "-X", "faulthandler", "-W", "ignore", *command(name, mode)],
                capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            lines = done.stdout.strip().splitlines() or [""]
            said = lines[-1] if done.returncode == 0 else f"exit {done.returncode}"
            row.append(said)
            if counts(name, mode) and not said.startswith(("ok", "not installed")):
                wrong += 1
                print(done.stdout[-2000:], done.stderr[-3000:], file=sys.stderr)
        print(f"| {name} | " + " | ".join(row) + " |", flush=True)
    return wrong
