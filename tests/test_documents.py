"""What the README shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)


def test_the_readme_has_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: str(EXAMPLES.index(text) + 1))
def test_example(example: str, tmp_path: Path) -> None:
    # A script of its own, as its reader would run it: nothing of pytest's refers to its objects.
    script = tmp_path / "example.py"
    script.write_text(example)
    run_script(script)


def test_demo() -> None:
    output = run_script(ROOT / "examples" / "demo.py")
    assert "✗" not in output
    assert "\033" not in output


def run_script(path: Path) -> str:
    command = [sys.executable, "-X", "utf8", "-W", "error", "-X", "faulthandler", str(path)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
        check=False,
        cwd=path.parent,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
