"""CPython's own tests, file by file, while live objects are remapped to equal clones.

    python tests/stress/chaos.py [--seed N] [test_dict ...]

Every test must come out as it does without chaos, but for those that `listed.txt` names
with a reason. Each file runs in a process of its own, and once more without chaos if
something in it failed. What a failure can be repeated by is printed with it.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
LISTED = HERE / "listed.txt"


@dataclass
class Outcome:
    """Of the tests of one file."""

    failed: dict[str, str] = field(default_factory=dict)
    """By test, what it said."""
    ran: int = 0
    facts: Counter[str] = field(default_factory=Counter)
    end: str = ""
    """How the process ended, if not well."""
    seconds: float = 0.0


@dataclass
class Verdict:
    test: str
    chaos: Outcome
    failures: dict[str, str]
    excused: int
    cut: str = ""
    """How the file ended before its end, with chaos and without."""


def run(options: argparse.Namespace, test: str, seed: int | None) -> Outcome:
    name = test if seed is not None else f"{test}.calm"
    results, strikes, said = (options.logs / f"{name}.{kind}" for kind in ("json", "log", "out"))
    command = [sys.executable, "-X", "faulthandler", str(HERE / "one_file.py"), test]
    command += ["--out", str(results), "--log", str(strikes)]
    command += [] if seed is None else ["--seed", str(seed)]
    results.unlink(missing_ok=True)
    outcome = Outcome()
    started = time.monotonic()
    with said.open("w") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        try:
            status = process.wait(options.timeout)
        except subprocess.TimeoutExpired:
            outcome.end = f"still running after {options.timeout} s"
            process.send_signal(signal.SIGABRT)  # faulthandler says where
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            status = 0
        finally:
            end_group(process.pid)
    outcome.seconds = time.monotonic() - started
    read(results, outcome)
    if status < 0:
        outcome.end = f"CRASHED: {signal.Signals(-status).name}"
    elif status:
        outcome.end = outcome.end or f"exit code {status}"
    return outcome


def end_group(group: int) -> None:
    """Processes that a test started and left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def read(results: Path, outcome: Outcome) -> None:
    last = ""
    for line in results.read_text().splitlines() if results.exists() else []:
        test, event, detail = json.loads(line)
        if event == "started":
            outcome.ran += 1
            last = test
        elif event == "failed":
            outcome.failed.setdefault(test, detail)
        elif event == "end":
            outcome.facts.update(detail)
            return
    outcome.end = outcome.end or "did not come to its end"
    outcome.end += f" in {last}" if last else ""


def listed() -> list[tuple[str, str]]:
    """Patterns of tests that may fail, and why."""
    lines = (line.partition("#") for line in LISTED.read_text().splitlines())
    return [(pattern.strip(), reason.strip()) for pattern, _, reason in lines if pattern.strip()]


def judge(options: argparse.Namespace, test: str) -> Verdict:
    chaos = run(options, test, options.seed)
    failures, excused = dict(chaos.failed), 0
    patterns = [pattern for pattern, _ in listed()]
    for name in list(failures):
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            del failures[name]
            excused += 1
    if failures or chaos.end:
        calm = run(options, test, None)
        failures = {name: text for name, text in failures.items() if name not in calm.failed}
        if chaos.ran and same_end(calm.end, chaos.end):
            # As far as it came it was as without; of the rest nothing is known.
            return Verdict(test, chaos, failures, excused, cut=chaos.end)
        if chaos.end:
            failures["(the process)"] = chaos.end
    return Verdict(test, chaos, failures, excused)


def same_end(calm: str, chaos: str) -> bool:
    return bool(chaos) and calm.partition(" in ")[0] == chaos.partition(" in ")[0]


def all_tests() -> list[str]:
    import test

    (place,) = test.__path__
    names = {path.stem for path in Path(place).glob("test_*") if is_test(path)}
    return sorted(names - {pattern for pattern, _ in listed()})


def is_test(path: Path) -> bool:
    return path.suffix == ".py" or (path / "__init__.py").exists()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tests", nargs="*", default=os.environ.get("CHAOS_TESTS", "").split())
    parser.add_argument("--seed", type=int, default=int(os.environ.get("CHAOS_SEED", "1")))
    parser.add_argument("--timeout", type=float, default=600, help="seconds for one file")
    parser.add_argument("--logs", type=Path, default=Path("target/chaos"))
    options = parser.parse_args()
    options.logs = options.logs.resolve()
    options.logs.mkdir(parents=True, exist_ok=True)
    tests = options.tests or all_tests()
    print(f"{len(tests)} files, seed {options.seed}, logs in {options.logs}", flush=True)
    verdicts = []
    for number, test in enumerate(tests, 1):
        verdict = judge(options, test)
        verdicts.append(verdict)
        show(number, len(tests), verdict, options)
    return summary(verdicts)


def show(number: int, count: int, verdict: Verdict, options: argparse.Namespace) -> None:
    chaos = verdict.chaos
    print(
        f"[{number:3}/{count}] {verdict.test:32} {chaos.ran:5} tests"
        f" {chaos.facts['strikes']:5} strikes {chaos.facts['slots']:8} slots"
        f" {chaos.seconds:5.0f} s  {'FAILED' if verdict.failures else verdict.cut or 'ok'}",
        flush=True,
    )
    for name, text in verdict.failures.items():
        print(f"    {name}: {text.strip().splitlines()[-1][:200]}", flush=True)
    if verdict.failures:
        print(
            f"    again: PYTHONHASHSEED=0 {sys.executable} {HERE / 'one_file.py'} {verdict.test}"
            f" --seed {options.seed}",
            flush=True,
        )


def summary(verdicts: list[Verdict]) -> int:
    total = sum((verdict.chaos.facts for verdict in verdicts), Counter[str]())
    failed = [verdict for verdict in verdicts if verdict.failures]
    rows = {
        "files": len(verdicts),
        "tests": sum(verdict.chaos.ran for verdict in verdicts),
        "excused by listed.txt": sum(verdict.excused for verdict in verdicts),
        **dict(total.most_common()),
        "files that end early, without chaos too": sum(bool(each.cut) for each in verdicts),
        "files that failed": len(failed),
    }
    for name, number in rows.items():
        print(f"{number:>12,}  {name}")
    for verdict in failed:
        print(f"FAILED {verdict.test}: {', '.join(verdict.failures)}"[:300])
    return len(failed) > 0


if __name__ == "__main__":
    sys.exit(main())
