"""The runner of tools that see misused memory; `make stress` runs our tests under all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FAULTY = """
import faults

def test_that_misuses_memory():
    faults.{fault}()
"""


@pytest.mark.parametrize(("fault", "status"), [("none", 0), ("overflow", 1)])
def test_a_misuse_in_a_test_fails_the_run(fault: str, status: int, tmp_path: Path) -> None:
    file = tmp_path / "test_faulty.py"
    file.write_text(FAULTY.format(fault=fault))
    command = [sys.executable, str(HERE / "memory.py"), "--tool", "debug-malloc"]
    done = subprocess.run(
        [*command, "--work", str(tmp_path / "work"), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert ("Debug memory block" in done.stdout) == bool(status)


def test_a_tool_that_is_missing_is_a_failure_when_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = subprocess.run(
        [sys.executable, str(HERE / "memory.py"), "--tool", "valgrind", "--work", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "MISSING valgrind: valgrind is not installed" in done.stdout
