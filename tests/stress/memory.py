"""Our tests under tools that see memory that is misused.

    python tests/stress/memory.py [--short] [--tool NAME ...] [tests/test_remap.py ...]

  debug-malloc  PYTHONMALLOC=debug: CPython's own guards around each block of its allocator
  asan          AddressSanitizer: the C part compiled with it, and its malloc for all others
  valgrind      memcheck: each access of the whole process, the engine in Rust included

Programs that tests start run under the tool as well. First each tool must catch deliberate
faults (faults.py): a tool that is blind would find nothing. What valgrind says and what is
as it should be is in expected.txt, by the names of functions, each with the reason.
A tool that is missing is named, and is a failure when it was asked for by name.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import faults

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXPECTED = HERE / "expected.txt"
AT_ONCE = 2
"""Tools."""
SHORT = ("remap", "hashes", "weakrefs", "shared_keys", "types")
"""What of the tests writes most: a few seconds each."""
LEFT_OUT = ("test_documents.py", "test_packaging.py")
"""Of examples, and of wheels."""


class Tool:
    """Runs a command so that misused memory is noticed."""

    name: str
    catches: tuple[str, ...]
    """Which of the faults."""
    patience = 3
    """How many times slower than usual programs may run."""
    files: tuple[str, ...] = ("test_*.py", "stress/test_[!cm]*.py")
    left_out: tuple[str, ...] = ()

    def missing(self) -> str:
        """Why it cannot be used here; empty if it can."""
        return ""

    def prepare(self, work: Path) -> None:
        """Makes what it needs, once."""

    def environment(self, reports: Path) -> dict[str, str]:
        raise NotImplementedError

    def prefix(self, reports: Path) -> list[str]:
        return []

    def found(self, reports: Path, said: str) -> list[str]:
        """Each misuse, in one line."""
        raise NotImplementedError


class DebugMalloc(Tool):
    name = "debug-malloc"
    catches = ("overflow", "freed_twice")

    def environment(self, reports: Path) -> dict[str, str]:
        return {"PYTHONMALLOC": "debug"}

    def found(self, reports: Path, said: str) -> list[str]:
        return re.findall("Debug memory block at .*", said)


class Sanitizer(Tool):
    name = "asan"
    catches = tuple(name for name in faults.FAULTS if name != "none")
    left_out = ("test_oracle.py",) if importlib.util.find_spec("crypt") else ()
    """It imports all modules; crypt, which is there until 3.12, crashes within libasan."""
    library = Path()
    package = Path()

    def missing(self) -> str:
        compiler = os.environ.get("CC", "gcc")
        if shutil.which(compiler) is None:
            return f"there is no {compiler}"
        asked = [compiler, "-print-file-name=libasan.so"]
        said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        self.library = Path(said)
        return "" if self.library.is_absolute() else f"{compiler} has no libasan"

    def prepare(self, work: Path) -> None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        target = ROOT / "target" / "asan" / version
        # Not a release build: that has no debug assertions (alignment, null, bounds).
        build = ["cargo", "build", "--locked", "--quiet", "--target-dir", str(target)]
        build += ["--config", "profile.dev.opt-level=1"]
        flags = "-fsanitize=address -fno-omit-frame-pointer"
        environment = {**os.environ, "CFLAGS": flags, "PYO3_PYTHON": sys.executable}
        # With it gcc warns of what it cannot follow.
        environment.pop("GCREMAP_WERROR", None)
        subprocess.run(build, cwd=ROOT, env=environment, check=True)
        self.package = work / "package"
        shutil.copytree(ROOT / "python" / "gcremap", self.package / "gcremap")
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        built = target / "debug" / "libgcremap.so"
        shutil.copy(built, self.package / "gcremap" / f"_native{suffix}")

    def environment(self, reports: Path) -> dict[str, str]:
        options = {
            "detect_leaks": 0,  # an interpreter leaves much at its end
            # The stack is looked at for addresses: it must be where it always is.
            "detect_stack_use_after_return": 0,
            "log_path": reports / "asan",
        }
        path = [str(self.package), os.environ.get("PYTHONPATH")]
        return {
            "PYTHONMALLOC": "malloc",
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "LD_PRELOAD": str(self.library),
            "ASAN_OPTIONS": ":".join(f"{name}={value}" for name, value in options.items()),
        }

    def found(self, reports: Path, said: str) -> list[str]:
        texts = [path.read_text(errors="replace") for path in reports.glob("asan.*")]
        return [line for text in texts for line in re.findall("SUMMARY: .*", text)]


class Valgrind(Tool):
    name = "valgrind"
    catches = Sanitizer.catches
    patience = 60
    files = tuple(
        f"test_{name}.py"
        for name in (
            *("remap", "hashes", "weakrefs", "shared_keys", "types", "refusals", "frames"),
            *("collisions", "interpreter_state", "reentrancy"),
        )
    )

    def missing(self) -> str:
        return "" if shutil.which("valgrind") else "valgrind is not installed"

    def environment(self, reports: Path) -> dict[str, str]:
        return {"PYTHONMALLOC": "malloc"}

    def prefix(self, reports: Path) -> list[str]:
        return [
            *("valgrind", "--quiet", "--trace-children=yes", "--error-limit=no"),
            *("--track-origins=yes", "--num-callers=40", "--show-leak-kinds=none"),
            *("--xml=yes", f"--xml-file={reports}/valgrind.%p"),
        ]

    def found(self, reports: Path, said: str) -> list[str]:
        found = []
        for path in reports.glob("valgrind.*"):
            # A process that was killed leaves its file without an end.
            text = path.read_text(errors="replace")
            for error in re.findall("<error>.*?</error>", text, re.DOTALL):
                report = Report.of(ElementTree.fromstring(error))
                if report.counts() and not report.is_expected():
                    found.append(str(report))
        return found


@dataclass
class Report:
    """What memcheck says of one place."""

    kind: str
    stacks: list[list[tuple[str, str]]]
    """Function and file of the binary, innermost first: the access, then what it is about."""

    @classmethod
    def of(cls, error: ElementTree.Element) -> Report:
        stacks = [
            [
                (frame.findtext("fn") or "?", Path(frame.findtext("obj") or "").name)
                for frame in stack.findall("frame")
            ]
            for stack in error.findall("stack")
        ]
        return cls(error.findtext("kind") or "", stacks)

    def counts(self) -> bool:
        """Leaks do not. What is uninitialised does if it is the engine that asks, with no
        Python in between: CPython alone, with nothing imported, has hundreds of these."""
        if self.kind.startswith("Leak"):
            return False
        if not self.kind.startswith("Uninit"):
            return True
        for function, binary in self.stacks[0]:
            if binary.startswith("_native."):
                return True
            if function.startswith("_PyEval_EvalFrame"):
                break
        return False

    def is_expected(self) -> bool:
        names = {
            "in": [name for name, _ in self.stacks[0][:2]],  # of which one may be inlined
            "from": [name for stack in self.stacks[1:] for name, _ in stack],
        }
        return any(
            fnmatch.fnmatchcase(self.kind, kind) and fnmatch.filter(names[where], function)
            for kind, where, function in expected()
        )

    def __str__(self) -> str:
        return f"{self.kind} in " + " < ".join(name for name, _ in self.stacks[0][:8])


def expected() -> list[list[str]]:
    lines = (line.partition("#")[0].split() for line in EXPECTED.read_text().splitlines())
    return [line for line in lines if line]


TOOLS = {tool.name: tool for tool in (DebugMalloc(), Sanitizer(), Valgrind())}


@dataclass
class Outcome:
    status: int
    said: str
    found: list[str]


def run(tool: Tool, arguments: list[str], reports: Path) -> Outcome:
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    environment = {
        **os.environ,
        **tool.environment(reports),
        "GCREMAP_PATIENCE": str(tool.patience),
        "PYTHONHASHSEED": "0",
    }
    path = [environment.get("PYTHONPATH"), str(HERE)]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    done = subprocess.run(
        [*tool.prefix(reports), sys.executable, "-X", "faulthandler", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment,
        check=False,
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    return Outcome(done.returncode, said, tool.found(reports, said))


class Tally:
    """What passed and what failed, said as it happens."""

    def __init__(self) -> None:
        self.passed = self.failed = 0
        self.rows: list[str] = []

    def say(self, tool: Tool, what: str, wrong: list[str], detail: str = "") -> None:
        verdict = "FAILED" if wrong else "ok"
        print(f"{verdict:<8}{tool.name:<14}{what:<44}{detail}", flush=True)
        for line in wrong:
            print(f"        {line}", flush=True)
        self.failed += bool(wrong)
        self.passed += not wrong


def catches_faults(tool: Tool, reports: Path, tally: Tally) -> None:
    for fault in ("none", *tool.catches):
        caught = run(tool, [str(HERE / "faults.py"), fault], reports)
        wrong = []
        if fault == "none" and (caught.status or caught.found):
            wrong = [*caught.found[:3], *caught.said.splitlines()[-5:]] or ["it ended badly"]
        elif fault != "none" and not caught.found:
            wrong = ["it was not noticed"]
        tally.say(tool, fault.replace("_", " "), wrong)


def test_files(tool: Tool, files: list[Path], reports: Path, tally: Tally) -> None:
    tests = misuses = 0
    started = time.monotonic()
    for file in files:
        began = time.monotonic()
        # Timeouts are for the usual speed; what C code says before it aborts must be seen.
        arguments = ["-m", "pytest", "-q", "--capture=sys", "-o", "timeout=0", str(file)]
        outcome = run(tool, arguments, reports)
        closing = re.findall(r"^(\d+ \w+.*) in [\d.]+s", outcome.said, re.MULTILINE)
        wrong = list(dict.fromkeys(outcome.found))
        misuses += len(wrong)
        if outcome.status or not closing:
            said = [line for line in outcome.said.splitlines() if line.startswith("FAILED")]
            wrong += said or [f"status {outcome.status}", *outcome.said.splitlines()[-15:]]
        tests += int(re.findall(r"(\d+) passed", closing[-1] + " 0 passed")[0]) if closing else 0
        detail = f"{closing[-1] if closing else 'no end'}, {time.monotonic() - began:.0f} s"
        tally.say(tool, os.path.relpath(file, ROOT), wrong, detail)
    minutes = (time.monotonic() - started) / 60
    tally.rows.append(
        f"| {tool.name} | {sys.version.split()[0]} | {len(files)} | {tests:,} | {misuses} "
        f"| {minutes:.0f} |"
    )


def files_of(tool: Tool, options: argparse.Namespace) -> list[Path]:
    if options.files:
        return [Path(file).resolve() for file in options.files]
    if options.short:
        return [ROOT / "tests" / f"test_{name}.py" for name in SHORT]
    found = [file for pattern in tool.files for file in (ROOT / "tests").glob(pattern)]
    return sorted(file for file in found if file.name not in (*LEFT_OUT, *tool.left_out))


def use(tool: Tool, options: argparse.Namespace, tally: Tally) -> None:
    if why := tool.missing():
        tally.failed += bool(options.tool)
        print(f"MISSING {tool.name}: {why}: nothing was run under it", flush=True)
        tally.rows.append(f"| {tool.name} | missing: {why} | | | | |")
        return
    work = options.work.resolve() / tool.name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    tool.prepare(work)
    catches_faults(tool, work / "reports", tally)
    test_files(tool, files_of(tool, options), work / "reports", tally)


def main() -> None:
    parser = argparse.ArgumentParser(description="Our tests under tools that see memory misused.")
    parser.add_argument("files", nargs="*", help="of tests; those of the tool if there are none")
    parser.add_argument("--tool", action="append", choices=list(TOOLS), help="all without it")
    parser.add_argument("--short", action="store_true", help="a minute: without valgrind")
    parser.add_argument("--work", type=Path, default=ROOT / "target" / "memory")
    options = parser.parse_args()
    tally = Tally()
    names = options.tool or [tool for tool in TOOLS if not options.short or tool != "valgrind"]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda name: use(TOOLS[name], options, tally), names))
    print("\n| tool | CPython | files | tests | misuses | minutes |\n|---|---|---|---|---|---|")
    print(*tally.rows, sep="\n")
    print(f"{tally.passed} passed, {tally.failed} failed")
    sys.exit(tally.failed > 0)


if __name__ == "__main__":
    main()
