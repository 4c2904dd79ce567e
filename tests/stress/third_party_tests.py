"""Run the tests that popular packages ship with on packages that were reloaded.

Of each package the newest release is fetched: the package itself, for this interpreter, and the
source distribution for its tests. The tests are collected, which imports and uses the package;
all its modules that are written in Python are reloaded together; then the tests run. They must
fail where they fail without a reload, and nowhere else.

    python tests/stress/third_party_tests.py [--folder DIRECTORY] [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CHILD = Path(__file__).with_name("pytest_child.py")
MODES = ("gcremap-keep", "gcremap-replace")
BASE = "imported"
"""Nothing is reloaded, with gcremap imported."""
SECONDS = 1800
"""For one run."""


@dataclass(frozen=True)
class Suite:
    """The tests of a package."""

    packages: tuple[str, ...]
    """What is reloaded; taken out of the source, for the installed one to be tested."""
    tests: tuple[str, ...] = ("tests",)
    """In the source, unless they are installed with the package."""
    installed: bool = False
    needs: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """Of pytest."""


SUITES = {
    "attrs": Suite(("attr", "attrs"), needs=("hypothesis", "cloudpickle")),
    "bitarray": Suite(("bitarray",), ("bitarray.test_bitarray", "bitarray.test_util"), True),
    "click": Suite(("click",)),
    "itsdangerous": Suite(("itsdangerous",), needs=("freezegun",)),
    "jinja2": Suite(("jinja2",), needs=("trio",)),
    "markupsafe": Suite(("markupsafe",)),
    "marshmallow": Suite(("marshmallow",), needs=("simplejson",)),
    "more-itertools": Suite(("more_itertools",)),
    "packaging": Suite(("packaging",), needs=("pretend",)),
    "pyyaml": Suite(("yaml",)),
    "simplejson": Suite(("simplejson",), ("simplejson",), True),
    "tomlkit": Suite(("tomlkit",), needs=("pyyaml",)),
    "toolz": Suite(("toolz",), ("toolz",), True),
    "tornado": Suite(("tornado",), ("tornado.test",), True, options=("-p", "no:logging")),
    "wrapt": Suite(("wrapt",)),
}


def fetch(name: str, suite: Suite, folder: Path) -> None:
    """Installs the package below `folder`, and unpacks its source there, once."""
    if (folder / "done").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    pip("install", "--target", str(folder / "site"), name, *suite.needs)
    if not suite.installed:
        unpack(name, suite.packages, folder)
    (folder / "source").mkdir(exist_ok=True)
    (folder / "done").touch()


def unpack(wanted: str, packages: tuple[str, ...], folder: Path) -> None:
    """Has the source of a release in `folder`, without the packages: for its tests."""
    pip("download", "--no-deps", "--no-binary", ":all:", "--dest", str(folder), wanted)
    (archive,) = folder.glob("*.tar.gz")
    with tempfile.TemporaryDirectory(dir=folder) as place:
        with tarfile.open(archive) as file:
            file.extractall(place, filter="data")
        (source,) = Path(place).iterdir()
        source.rename(folder / "source")
    archive.unlink()
    for package in packages:
        for place in ("src", "lib", "."):
            shutil.rmtree(folder / "source" / place / package, ignore_errors=True)


def pip(*arguments: str) -> None:
    command = [str(ROOT / "target/tools/python/bin/pip"), "--python", sys.executable]
    command += ["--disable-pip-version-check", "--quiet", *arguments]
    subprocess.run(command, check=True)


def run(suite: Suite, mode: str, folder: Path) -> dict[str, str]:
    """What came of each test, by its id; of what went wrong beside the tests as "run"."""
    tests = ["--pyargs", *suite.tests] if suite.installed else list(suite.tests)
    with tempfile.TemporaryDirectory() as work:
        result = Path(work) / "result"
        done = subprocess.run(
            [
                *(sys.executable, "-X", "faulthandler", str(CHILD), mode, str(result)),
                *(",".join(suite.packages), *suite.options, *tests),
            ],
            cwd=folder / "source",
            env={**os.environ, "PYTHONPATH": str(folder / "site")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
        )
        if not result.exists():
            return {"run": f"exit {done.returncode}: {done.stdout[-3000:]}{done.stderr[-3000:]}"}
        outcomes: dict[str, str] = json.loads(result.read_text())
    return outcomes


def failures(outcomes: dict[str, str]) -> dict[str, str]:
    return {test: said for test, said in outcomes.items() if said not in ("passed", "skipped")}


def row(name: str, folder: Path) -> tuple[list[str], int]:
    """The cells of the table for a package, and how many of its runs went wrong."""
    suite = SUITES[name]
    fetch(name, suite, folder)
    base = run(suite, BASE, folder)
    known = failures(base)
    passed = len(base) - len(known)
    cells, wrong = [name, f"{passed:,}"], int(not passed or "run" in base)
    if wrong:
        print(base.get("run", "no test ran"), file=sys.stderr)
    for mode in MODES:
        found = run(suite, mode, folder)
        new = {test: said for test, said in failures(found).items() if test not in known}
        missing = len(base) - len(found)  # of some the ids say when they were collected
        cells.append(f"{len(new)} fail, {missing} did not run" if new or missing else "ok")
        wrong += bool(new or missing)
        for test, said in [*new.items()][:5]:
            print(f"{name}, {mode}, {test}:\n{said[-3000:]}", file=sys.stderr)
    return cells, wrong


def print_rows(heads: Iterable[str], rows: Iterable[tuple[list[str], int]]) -> int:
    """A table whose rows take long, each with how much went wrong; the exit status."""
    heads = list(heads)
    wrong = 0
    print(f"| {' | '.join(heads)} |")
    print("|---" * len(heads) + "|", flush=True)
    for cells, count in rows:
        print(f"| {' | '.join(cells)} |", flush=True)
        wrong += count
    return min(wrong, 1)


def main() -> int:
    parser = argparse.ArgumentParser(description="The tests of packages that were reloaded.")
    parser.add_argument("names", nargs="*", help=", ".join(SUITES))
    parser.add_argument("--folder", type=Path, default=ROOT / "target" / "third_party_tests")
    options = parser.parse_args()
    folder = options.folder.resolve() / f"{sys.version_info.major}.{sys.version_info.minor}"
    names = options.names or SUITES
    return print_rows(["package", "tests", *MODES], (row(name, folder / name) for name in names))


if __name__ == "__main__":
    sys.exit(main())
