"""What is installed is whole, and says so where it cannot work."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import child
import gcremap

ROOT = Path(__file__).resolve().parent.parent


def test_version_is_that_of_the_distribution() -> None:
    assert gcremap.__version__ == importlib.metadata.version("gcremap")


def test_package_is_typed() -> None:
    package = importlib.resources.files(gcremap)
    assert (package / "py.typed").is_file()
    assert (package / "_native.pyi").is_file()


def test_all_names_exist_and_are_sorted() -> None:
    missing = [name for name in gcremap.__all__ if not hasattr(gcremap, name)]
    assert missing == []
    assert len(set(gcremap.__all__)) == len(gcremap.__all__)


def test_import_loads_little() -> None:
    """What a service that may never reload anything pays."""
    loaded = child.run(
        """
        import importlib.machinery, os, sys
        before = set(sys.modules)
        import gcremap
        print(*sorted(set(sys.modules) - before))
        """
    ).split()
    assert "gcremap._native" in loaded
    own = [name for name in loaded if name.startswith("gcremap")]
    assert len(own) < 8
    assert len(loaded) - len(own) < 8


def test_modules_of_the_package_may_be_forgotten() -> None:
    """Test frameworks put sys.modules back as it was before a test."""
    child.run(
        """
        import sys
        import gcremap
        eager = set(sys.modules)
        for _ in range(2):
            holder = [object()]
            gcremap.remap([(holder[0], 1)])
            try:
                gcremap.remap([(None, 1)])
            except gcremap.RemapError as error:
                assert error.refusals[0].pair == (None, 1)
            else:
                raise AssertionError
            for name in set(sys.modules) - eager:
                del sys.modules[name]
        """
    )


def test_import_without_the_extension_is_one_clear_sentence(tmp_path: Path) -> None:
    package = Path(gcremap.__file__).parent
    shutil.copytree(package, tmp_path / "gcremap", ignore=shutil.ignore_patterns("_native.*.so"))
    run = subprocess.run(
        [sys.executable, "-c", "import gcremap"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    version = ".".join(map(str, sys.version_info[:3]))
    last = run.stderr.splitlines()[-1]
    assert last.startswith(
        f"ImportError: gcremap's extension module cannot be loaded in CPython {version}"
    )


BUILDS = {
    "too old": ("implementation=CPython\nversion=3.10", "this is Python 3.10."),
    "PyPy": ("implementation=PyPy\nversion=3.11", "this is PyPy:"),
    "free-threaded": (
        "implementation=CPython\nversion=3.14\nbuild_flags=Py_GIL_DISABLED",
        "this is a free-threaded build.",
    ),
}


@pytest.mark.parametrize("build", BUILDS)
def test_build_refuses_with_one_sentence(build: str, tmp_path: Path) -> None:
    description, reason = BUILDS[build]
    config = tmp_path / "interpreter.txt"
    config.write_text(f"{description}\nshared=false\npointer_width=64\nexecutable=/nowhere\n")
    run = subprocess.run(
        # One target for all three, kept: what does not depend on the interpreter compiles once.
        ["cargo", "check", "--locked", "--quiet", "--target-dir", ROOT / "target" / "refusal"],
        cwd=ROOT,
        env={**os.environ, "PYO3_CONFIG_FILE": str(config)},
        capture_output=True,
        text=True,
    )
    assert run.returncode != 0
    sentences = re.findall(r"^error: (?:gcremap@\S+: )?(gcremap supports .*)$", run.stderr, re.M)
    assert len(sentences) == 1, run.stderr
    assert sentences[0].startswith("gcremap supports CPython 3.11 to 3.15")
    assert reason in sentences[0]
