"""gcremap.testing: what a test replaces everywhere is back after it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SUITE = Path(__file__).with_name("plugin_suite.py")


def test_suite_that_uses_the_plugin() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "pytest", "-v", "-p", "gcremap.testing",
         "-p", "no:cacheprovider", "-W", "error", SUITE],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=SUITE.parent,
    )  # fmt: skip
    failed = re.findall(r"::(\w+) (?:FAILED|ERROR)", done.stdout)
    assert failed == ["test_failing_test"], done.stdout + done.stderr
    wanted = re.findall(r"^def (test_\w+)", SUITE.read_text(), re.M)
    assert re.findall(r"::(\w+) PASSED", done.stdout) == [
        name for name in wanted if name != "test_failing_test"
    ]
