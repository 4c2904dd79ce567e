"""Runs code in an interpreter of its own: what may crash it, or cannot be taken back."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

# How many times slower than usual programs run: tests/stress/memory.py says it.
PATIENCE = float(os.environ.get("GCREMAP_PATIENCE", "1"))


def run(code: str, *options: str, timeout: float = 120) -> str:
    """What `code` prints; an exception, a crash or a hang is an assertion that fails."""
    timeout *= PATIENCE
    try:
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler", *options, "-c", textwrap.dedent(code)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        output = expired.stderr or b""
        text = output if isinstance(output, str) else output.decode(errors="replace")
        raise AssertionError(f"still running after {timeout} s\n{text[-4000:]}") from None
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stderr[-6000:]}"
    return done.stdout
