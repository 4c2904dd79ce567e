"""Reload popular packages while they are in use.

Each package is imported and used; all its modules that are written in Python are reloaded
together; then what was made before goes on, and the same is done once more from the start. Of
packages that come with tests some of these are run as well. Packages that are not installed are
left out.

    python tests/stress/third_parties.py [NAME ...]
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator

import third_party_uses as uses
from child_table import print_table
from stdlib_child import loaded, reload

MODES = ("gcremap-keep", "gcremap-replace", "importlib")


def start(use: uses.Use) -> Iterator[None]:
    going = use.run()
    next(going)
    return going


def finish(going: Iterator[None]) -> None:
    if next(going, going) is not going:
        raise AssertionError("it goes on")


def one(name: str, mode: str) -> str:
    """Use one package, reload it, use it again; what went wrong."""
    if mode.startswith("gcremap"):
        import gcremap  # noqa: F401 - it takes note of what is imported from here on
    use = uses.USES[name]
    try:
        finish(start(use))
    except ImportError:
        return "not installed"
    going = start(use)
    modules = [each for each in loaded(use.packages) if each.__name__ not in use.only_once]
    steps = (
        ("reload", lambda: reload(mode, modules)),
        ("going on", lambda: finish(going)),
        ("using it anew", lambda: finish(start(use))),
        ("its tests", lambda: run_tests(use)),
    )
    for step, do in steps:
        try:
            do()
        except BaseException as error:
            traceback.print_exc()
            said = str(error).strip().splitlines() or [""]
            return f"{step} of {len(modules)} modules: {type(error).__name__}: {said[0][:200]}"
    return f"ok {len(modules)} modules"


def run_tests(use: uses.Use) -> None:
    if not use.tests:
        return
    import pytest

    options = ["-q", "-x", "-p", "no:cacheprovider", "-W", "default"]
    code = pytest.main([*options, "--pyargs", *use.tests])
    if code:
        raise AssertionError(f"pytest {code}")


def main(*names: str) -> int:
    unknown = [name for name in names if name not in uses.USES]
    if unknown:
        sys.exit(f"no use of {', '.join(unknown)}; there are: {', '.join(sorted(uses.USES))}")
    wrong = print_table(
        "package",
        names or uses.USES,
        MODES,
        lambda name, mode: [__file__, "--here", name, mode],
        lambda name, mode: mode != "importlib" and not uses.USES[name].refuses,
    )
    return min(wrong, 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--here"]:
        print(one(sys.argv[2], sys.argv[3]))
    else:
        sys.exit(main(*sys.argv[1:]))
