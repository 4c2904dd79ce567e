"""A short form of edits.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_modules_are_edited_at_random() -> None:
    program = Path(__file__).with_name("edits.py")
    command = [sys.executable, str(program), "--edits", "6", "shlex", "textwrap", "json.*"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": ok") == 6
