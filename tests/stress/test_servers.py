"""A short form of servers.py, with a server that needs no package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_a_server_is_reloaded_while_it_serves() -> None:
    program = Path(__file__).with_name("servers.py")
    command = [sys.executable, "-X", "faulthandler", str(program), "--rounds", "3", "asyncio"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok") == 2
