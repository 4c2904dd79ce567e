"""Runs one file of CPython's own tests in this process, struck by chaos if there is a seed,
and writes the outcome of each test, one JSON line each, so that a crash tells where it was.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import unittest
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import agent
import integrity


def id_of(test: unittest.TestCase) -> str:
    return type(test).id(test)  # a test may have an attribute of that name


def recorder(out: TextIO) -> type[unittest.TextTestResult]:
    def record(test: unittest.TestCase, outcome: str, detail: str = "") -> None:
        print(json.dumps([id_of(test), outcome, detail[-4000:]]), file=out, flush=True)

    class Recorder(unittest.TextTestResult):
        def startTest(self, test: Any) -> None:  # noqa: N802
            super().startTest(test)
            record(test, "started")

        def addSuccess(self, test: Any) -> None:  # noqa: N802
            super().addSuccess(test)
            record(test, "passed")

        def addError(self, test: Any, err: Any) -> None:  # noqa: N802
            super().addError(test, err)
            record(test, "failed", self.errors[-1][1])

        def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
            super().addFailure(test, err)
            record(test, "failed", self.failures[-1][1])

        def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
            failures = len(self.failures) + len(self.errors)
            super().addSubTest(test, subtest, err)
            if len(self.failures) + len(self.errors) > failures:
                record(test, "failed", f"{subtest}\n{err[1]!r}")

        def addUnexpectedSuccess(self, test: Any) -> None:  # noqa: N802
            super().addUnexpectedSuccess(test)
            record(test, "failed", "unexpected success")

    return Recorder


def flat(suite: Any) -> Iterator[Any]:
    if not isinstance(suite, unittest.TestSuite):
        yield suite
        return
    for part in suite:
        yield from flat(part)


def run(options: argparse.Namespace, out: TextIO) -> dict[str, int]:
    from test import support

    support.use_resources = []  # neither network nor minutes of CPU
    support.verbose = 0
    try:
        suite = unittest.defaultTestLoader.loadTestsFromName(f"test.{options.test}")
    except unittest.SkipTest:
        return {}
    if options.only:
        suite = unittest.TestSuite(test for test in flat(suite) if options.only in id_of(test))
    runner = unittest.TextTestRunner(resultclass=recorder(out), verbosity=0)
    if options.seed is None:
        runner.run(suite)
        return {}
    wanted = range(options.first, options.last + 1)
    chaos = agent.Agent(options.seed, options.log, wanted, integrity.check)
    with chaos:
        runner.run(suite)
    gc.collect()
    for fault in integrity.all_faults():
        print(json.dumps(["(the heap)", "failed", fault]), file=out, flush=True)
    return chaos.facts()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("test", help="test_dict")
    parser.add_argument("--only", help="only tests with this in their name")
    parser.add_argument("--seed", type=int, help="strike by this seed; without it, not at all")
    parser.add_argument("--first", type=int, default=0, help="the first strike that is carried out")
    parser.add_argument("--last", type=int, default=sys.maxsize - 1, help="and the last")
    parser.add_argument("--out", type=Path, default=Path("/dev/stdout"))
    parser.add_argument("--log", type=Path, default=Path("/dev/stderr"), help="what was struck")
    options = parser.parse_args()
    with ExitStack() as stack:
        out = stack.enter_context(options.out.open("w"))
        options.log = stack.enter_context(options.log.open("w"))
        os.chdir(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        stack.callback(os.chdir, "/")
        facts = run(options, out)
        print(json.dumps(["", "end", facts]), file=out, flush=True)


if __name__ == "__main__":
    main()
