"""Which tool copes with which edit of a running program.

    python benches/peers/compare.py [--tools NAME ...] [--scenarios NAME ...]

Runs each scenario with each tool that is installed, in a process of its own, and prints a
table in Markdown. The others than gcremap are installed for it by

    python -m pip install --target target/peers -r benches/peers/requirements.txt

and found with PYTHONPATH=target/peers.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import edits_of_code  # noqa: F401 - registers scenarios
import edits_of_state  # noqa: F401
from program import SCENARIOS, Program
from tools import TOOLS, version

SECONDS = 120
"""After which a scenario has failed."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tools", nargs="+", choices=TOOLS, metavar="NAME", default=list(TOOLS))
    parser.add_argument(
        "--scenarios", nargs="+", choices=SCENARIOS, metavar="NAME", default=list(SCENARIOS)
    )
    parser.add_argument("--one", nargs=2, metavar=("TOOL", "SCENARIO"), help="run one, here")
    chosen = parser.parse_args()
    if chosen.one:
        return run_here(*chosen.one)
    tools = [name for name in chosen.tools if version(name) is not None]
    for name in chosen.tools:
        if name not in tools:
            print(f"{name} is not installed", file=sys.stderr)
    passed = {(t, s): passes(t, s) for s in chosen.scenarios for t in tools}
    print(table(tools, chosen.scenarios, passed))
    return 0


def passes(tool: str, scenario: str) -> bool:
    command = [sys.executable, __file__, "--one", tool, scenario]
    try:
        # One of the tools does its work in the order of a set of texts.
        seeded = {**os.environ, "PYTHONHASHSEED": "0"}
        run = subprocess.run(command, env=seeded, capture_output=True, timeout=SECONDS)
        return run.returncode == 0
    except subprocess.TimeoutExpired:
        return False


def run_here(tool: str, scenario: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        sys.path.insert(0, str(root))
        loaded, reload = TOOLS[tool](root)
        program = Program(root, loaded, reload)
        try:
            SCENARIOS[scenario](program)
        except Exception:
            traceback.print_exc()
            return 1
    return 0


def table(tools: list[str], scenarios: list[str], passed: dict[tuple[str, str], bool]) -> str:
    shown = [name for name in tools if name != "nothing"]
    lines = [
        f"Python {sys.version.split()[0]}; "
        + ", ".join(f"{name} {version(name)}" for name in shown if version(name)),
        "",
        "| | " + " | ".join(shown) + " |",
        "|---|" + ":-:|" * len(shown),
    ]
    for scenario in scenarios:
        marks = ["✓" if passed[name, scenario] else "·" for name in shown]
        title = (SCENARIOS[scenario].__doc__ or scenario).strip()
        vacuous = " (passes without any tool)" * passed.get(("nothing", scenario), False)
        lines.append(f"| {title}{vacuous} | " + " | ".join(marks) + " |")
    counts = [sum(passed[name, each] for each in scenarios) for name in shown]
    lines.append(f"| **of {len(scenarios)}** | " + " | ".join(f"**{n}**" for n in counts) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
