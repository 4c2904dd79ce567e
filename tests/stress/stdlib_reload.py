"""Reload the standard library and run its own tests on it.

For each test of CPython's Lib/test that is about modules written in Python: load the tests,
reload the modules, run the tests. They must fail where they fail without a reload, and nowhere
else. The same is tried with importlib.reload and with the autoreload of IPython, if it is there.
Each is done in a process of its own.

    python tests/stress/stdlib_reload.py [--seconds N] [--mode MODE] [TEST ...]
"""

from __future__ import annotations

import argparse
import json
import os
import pkgutil
import platform
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHILD = Path(__file__).with_name("stdlib_child.py")
PLAIN = "plain"
IMPORTED = "imported"
"""Nothing is reloaded: without gcremap, and with it."""
BASES = {
    IMPORTED: PLAIN, "gcremap-keep": IMPORTED, "gcremap-replace": IMPORTED,
    "importlib": PLAIN, "autoreload": PLAIN,
}  # fmt: skip
"""The ways to reload, each with what it is to be compared with."""

SUBJECTS = {
    "test_abstract_numbers": "numbers",
    "test_code_module": "code",
    "test_contextlib_async": "contextlib",
    "test_deque": "collections",
    "test_defaultdict": "collections",
    "test_docxmlrpc": "xmlrpc",
    "test_email": "email",
    "test_functools": "functools",
    "test_genericpath": "genericpath",
    "test_htmlparser": "html",
    "test_httplib": "http",
    "test_httpservers": "http",
    "test_memoryio": "_pyio",
    "test_io": "_pyio",
    "test_minidom": "xml",
    "test_multiprocessing_main_handling": "multiprocessing",
    "test_numeric_tower": "numbers",
    "test_ordered_dict": "collections",
    "test_posix": "os",
    "test_pulldom": "xml",
    "test_sax": "xml",
    "test_script_helper": "subprocess",
    "test_strptime": "_strptime",
    "test_threadedtempfile": "tempfile",
    "test_threading_local": "_threading_local",
    "test_abc": "_py_abc",
    "test_datetime": "_pydatetime",
    "test_decimal": "_pydecimal",
    "test_long": "_pylong",
    "test_unparse": "ast",
    "test_urllib2": "urllib",
    "test_urllib2_localnet": "urllib",
    "test_urlparse": "urllib",
    "test_userdict": "collections",
    "test_userlist": "collections",
    "test_userstring": "collections",
    "test_weakset": "_weakrefset",
    "test_zipimport_support": "zipimport",
    "test_string_literals": "",
    "test_thread": "",
    "test_type_params": "typing",
}
"""What a test is about where its name does not say so."""


@dataclass
class Unit:
    """A test and what it is about."""

    test: str
    subjects: list[str]
    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)


def units() -> list[Unit]:
    """All tests of modules that are written in Python."""
    import test

    found = []
    python = python_modules()
    for each in pkgutil.iter_modules(test.__path__):
        name = each.name
        if not name.startswith("test_"):
            continue
        said = SUBJECTS.get(name, subject_of(name.removeprefix("test_"), python))
        if said in python:
            found.append(Unit(name, [said]))
    return found


def python_modules() -> set[str]:
    """The modules and packages of the library that have Python source."""
    library = Path(sysconfig.get_path("stdlib"))
    found = set()
    for name in sys.stdlib_module_names:
        if (library / f"{name}.py").exists() or (library / name / "__init__.py").exists():
            found.add(name)
    return found - {"antigravity", "this", "test", "idlelib", "turtledemo", "lib2to3"}


def subject_of(name: str, python: set[str]) -> str:
    """`xml_etree_c` is about xml: the longest beginning that names a module."""
    parts = name.split("_")
    for count in range(len(parts), 0, -1):
        if (said := "_".join(parts[:count])) in python:
            return said
    return ""


def run(unit: Unit, mode: str, seconds: float) -> dict[str, Any]:
    """What came of a unit in one mode."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        work = Path(folder, "work")
        work.mkdir()
        command = [sys.executable, "-X", "faulthandler", "-W", "ignore", str(CHILD)]
        log = Path(folder, "log")
        start = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, mode, str(result), unit.test, *unit.subjects],
                cwd=work, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, env=os.environ | {"TMPDIR": str(work)},
            )  # fmt: skip
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
                code = None
        spent = time.monotonic() - start
        try:
            found: dict[str, Any] = json.loads(result.read_text())
        except (OSError, ValueError):
            tail = log.read_text(errors="replace")[-3000:]
            found = {"died": f"{'out of time' if code is None else f'exit {code}'}\n{tail}"}
        return found | {"seconds": round(spent, 1)}


def verdict(plain: dict[str, Any], other: dict[str, Any]) -> str:
    """In what a run differs from the one without a reload; empty if in nothing."""
    if "died" in other:
        return "died: " + other["died"].splitlines()[0]
    if "refused" in other:
        return "reload failed: " + other["refused"].strip().splitlines()[-1][:160]
    worse = other["failing"].keys() - plain["failing"].keys()
    better = plain["failing"].keys() - other["failing"].keys()
    if worse or better:
        return f"{len(worse)} more, {len(better)} fewer: {sorted(worse | better)[0]}"
    if plain["ran"] != other["ran"]:
        return f"ran {other['ran']}, not {plain['ran']}"
    return ""


class Runs:
    """Runs units, and has the outcomes of earlier runs that are in a folder."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder = folder
        self._seconds = seconds

    def outcome(self, unit: Unit, mode: str) -> dict[str, Any]:
        path = self.folder / f"{unit.test}.{mode}.json"
        if path.exists():
            found: dict[str, Any] = json.loads(path.read_text())
        else:
            seconds = self._seconds
            if mode != PLAIN:
                seconds = 60 + 5 * unit.outcomes[PLAIN]["seconds"]
            found = run(unit, mode, seconds)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found))
        unit.outcomes[mode] = found
        return found

    def judge(self, unit: Unit, mode: str) -> str:
        """In what a mode differs; nothing that does not happen a second time."""
        base = BASES[mode]
        said = verdict(unit.outcomes[base], self.outcome(unit, mode))
        if said:
            for each in {base, mode} - {PLAIN}:
                (self.folder / f"{unit.test}.{each}.json").unlink()
            said = verdict(self.outcome(unit, base), self.outcome(unit, mode))
        return said


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20, help="leave out what takes longer")
    parser.add_argument("--mode", action="append", choices=BASES)
    parser.add_argument("--results", type=Path, default=Path("target/stress/stdlib"))
    parser.add_argument("tests", nargs="*")
    options = parser.parse_args()
    modes = [IMPORTED, *(options.mode or [mode for mode in BASES if mode != IMPORTED])]
    chosen = [unit for unit in units() if not options.tests or unit.test in options.tests]
    version = platform.python_version()
    runs = Runs(options.results / version, options.seconds)
    differs: dict[str, list[str]] = {mode: [] for mode in modes}
    modules: set[str] = set()
    judged = 0
    for number, unit in enumerate(chosen, 1):
        plain = runs.outcome(unit, PLAIN)
        if "died" in plain:
            print(f"{unit.test} is left out: {plain['died'].splitlines()[0]}", flush=True)
            continue
        judged += 1
        modules.update(plain["modules"])
        for mode in modes:
            if said := runs.judge(unit, mode):
                differs[mode].append(unit.test)
                print(f"{number}/{len(chosen)} {unit.test}, {mode}: {said}", flush=True)
    lines = [
        f"CPython {version}: {judged} test suites of {len(modules)} modules",
        "",
        "| reloaded by | suites with the same outcome | with another |",
        "|---|---|---|",
    ]
    for mode, tests in differs.items():
        lines.append(f"| {mode} | {judged - len(tests)} | {len(tests)}: {', '.join(tests)} |")
    text = "\n".join(lines)
    runs.folder.with_name(f"{version}.md").write_text(text + "\n")
    print("\n" + text)
    return int(any(tests for mode, tests in differs.items() if mode.startswith("gcremap")))


if __name__ == "__main__":
    sys.exit(main())
