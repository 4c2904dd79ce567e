"""The examples do what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


def run(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-W", "error", "-X", "faulthandler", EXAMPLES / name,
         *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout
    return done.stdout


def test_workers() -> None:
    assert run("workers.py").count("✓") == 5


def test_live_server() -> None:
    output = run("live_server.py", "0.01")
    assert output.count("✓") == 14
    assert " 10  " in output
    assert "SyntaxError" in output
