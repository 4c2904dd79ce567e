"""The library's own tests find nothing stale after a reload: a few of what `make stress` runs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SUITES = ("test_configparser", "test_dataclasses", "test_ipaddress", "test_sax", "test_typing")
SCRIPT = Path(__file__).parent.parent / "stress" / "stdlib_reload.py"


@pytest.mark.parametrize("suite", SUITES)
def test_suite_has_the_same_outcome_after_a_reload(suite: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(f"test.{suite}") is None:
        pytest.skip("CPython's tests are not installed")
    modes = ("--mode", "gcremap-keep", "--mode", "gcremap-replace")
    options = ("--seconds", "200", "--results", str(tmp_path), *modes)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options, suite], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": 1 test suites of" in done.stdout
