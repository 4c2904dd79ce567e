"""Reload every module of the standard library that is written in Python, unchanged.

Nothing that can be observed of it may change, whichever side of a pair stays. Each module is
imported and reloaded in a process of its own.

    python tests/stress/identity.py [MODULE ...]
"""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

LEFT_OUT = {
    "antigravity", "this",  # open a browser, print
    "test", "idlelib", "lib2to3", "turtledemo", "__phello__",
}  # fmt: skip
KNOWN = {
    "_pyrepl.readline": "asserts that its names are not there yet",
    "ctypes._endian": "imports * of a package that has more names by now (3.11)",
    "importlib._bootstrap": "runs from compiled code: which `def` of a property ran is not told",
}
"""What may change, or be refused, and why."""
SECONDS = 300


def modules() -> list[str]:
    """The names of all modules of the library that have Python source."""
    library = Path(sysconfig.get_path("stdlib"))
    found = []
    for path in sorted(library.rglob("*.py")):
        parts = path.relative_to(library).with_suffix("").parts
        if parts[0] in LEFT_OUT or parts[-1] == "__main__" or not all(map(str.isidentifier, parts)):
            continue
        if any(part in ("test", "tests") for part in parts):
            continue
        found.append(".".join(parts).removesuffix(".__init__"))
    return found


def reload(name: str) -> str:
    """Import and reload a module here; what changed by it."""
    import colorsys

    import gcremap
    from facts import differences, facts_of

    gcremap.reload(colorsys)  # this uses the library as well, and fills caches of it
    try:
        module = importlib.import_module(name)
    except (ImportError, OSError):
        return "cannot be imported here"
    said = []
    for identity in ("keep", "replace"):
        before = facts_of(module)
        [report] = gcremap.Reloader(identity=identity).reload(module)  # type: ignore[arg-type]
        changed = differences(before, facts_of(module))
        claimed = [*report.added, *report.removed, *report.updated]
        if changed or claimed:
            said.append(f"{identity}: changed {changed[:6]}, says it changed {claimed[:6]}")
    return "; ".join(said)


def reload_apart(name: str) -> str:
    command = [sys.executable, "-X", "faulthandler", "-W", "ignore", __file__, "--here", name]
    try:
        environment = os.environ | {"SETUPTOOLS_USE_DISTUTILS": "stdlib"}
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {SECONDS} seconds"
    if done.returncode:
        return f"exit {done.returncode}: {''.join(done.stderr.strip().splitlines()[-1:])[:300]}"
    return "".join(done.stdout.strip().splitlines()[-1:])


def main(*names: str) -> int:
    chosen = list(names) or modules()
    left = wrong = known = 0
    for number, name in enumerate(chosen, 1):
        said = reload_apart(name)
        if said == "cannot be imported here":
            left += 1
        elif said and name in KNOWN:
            known += 1
        elif said:
            wrong += 1
            print(f"{number}/{len(chosen)} {name}: {said}", flush=True)
    print(
        f"{platform.python_version()}: of {len(chosen) - left} modules reloaded unchanged, "
        f"{wrong} changed ({known} more may; {left} cannot be imported here)"
    )
    return min(wrong, 1)


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parent.parent)
    if sys.argv[1:2] == ["--here"]:
        print(reload(sys.argv[2]))
    else:
        sys.exit(main(*sys.argv[1:]))
