"""Reload one release of a popular package into the next, and back.

A process imports a release, uses it, has the files of another one in the same folder and calls
`gcremap.reload_all()`. Afterwards its modules must say what they say in a process that has
imported that release alone, what was kept must be what they have, and the tests of the release
must come out as they do there. Each pair is tried in both directions, there and back and there
again, and with both identities. A reload that is refused must leave everything as it was.

    python tests/stress/upgrades.py [--folder DIRECTORY] [--details] [NAME ...]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shape import differences
from third_party_tests import ROOT, failures, pip, print_rows, unpack

CHILD = Path(__file__).with_name("upgrades_child.py")
IDENTITIES = ("keep", "replace")
SECONDS = 1800
"""For one run."""


@dataclass(frozen=True)
class Package:
    """Releases of a package."""

    releases: tuple[str, ...]
    packages: tuple[str, ...]
    needs: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    """Modules, and packages with all that is in them, that are not imported."""
    tests: tuple[str, ...] = ()
    """In the source, with options of pytest."""
    differs: tuple[str, ...] = ()
    """What may differ: patterns of paths."""
    refuses: str = ""
    """Why a pair cannot be reloaded, if that is known."""


PACKAGES = {
    "anyio": Package(
        ("4.3.0", "4.6.0", "4.8.0"), ("anyio",), ("idna", "sniffio", "typing_extensions"),
        # The variables of a loop over all names, whose last is the latest that was bound.
        differs=(r"anyio(\.abc)?:(key|value)",),
    ),
    "attrs": Package(
        ("23.2.0", "24.1.0", "24.2.0", "25.1.0"), ("attr", "attrs"),
        ("hypothesis", "cloudpickle"), tests=("tests",),
        # The program's counter, and classes that an old release has decorated.
        differs=(r".*cls_counter", r"attr\._version_info:.*", r".*METADATA_SINGLETON"),
    ),
    "boltons": Package(
        ("23.1.1", "24.0.0", "24.1.0"), ("boltons",),
        # An instance's own number, and when it began.
        differs=(r"boltons\.ecoutils:(INSTANCE_ID|START_TIME_INFO.*)",),
    ),
    "cachetools": Package(("5.3.3", "5.4.0", "5.5.0"), ("cachetools",), tests=("tests",)),
    "cattrs": Package(("23.2.3", "24.1.2"), ("cattrs", "cattr"), ("attrs",)),
    "click": Package(
        ("8.1.7", "8.1.8", "8.2.0", "8.2.1"), ("click",),
        # In which it is a matter of chance whether a pager has written.
        tests=("tests", "--deselect=tests/test_utils.py::test_echo_via_pager"),
    ),
    "docutils": Package(
        ("0.21.2", "0.22"), ("docutils",),
        differs=(
            # Annotations of closures that were handed out; what is read from a file of data.
            r"docutils\.parsers\.rst\.directives\.tables:.*option_spec.*__annotations__",
            r"docutils\.writers\.latex2e:(PreambleCmds.*|block_name|definitions|line)",
        ),
    ),
    "httpx": Package(
        ("0.27.0", "0.27.2", "0.28.0"), ("httpx",),
        ("httpcore", "anyio", "certifi", "idna", "sniffio", "click", "rich", "pygments"),
        differs=("httpx:__locals.*",),  # submodules whose files have gone
    ),
    "idna": Package(("3.8", "3.9", "3.10"), ("idna",), tests=("tests",)),
    "itsdangerous": Package(
        ("2.1.2", "2.2.0"), ("itsdangerous",), ("freezegun",), tests=("tests",)
    ),
    "jinja2": Package(
        ("3.1.3", "3.1.4", "3.1.5", "3.1.6"), ("jinja2",), ("markupsafe", "trio"), tests=("tests",),
        differs=(r"jinja2\.[a-z_]+:internal_code",),  # code that has gone from the source, too
    ),
    "jsonschema": Package(
        ("4.20.0", "4.22.0", "4.23.0"), ("jsonschema",),
        ("attrs", "referencing", "rpds-py", "jsonschema-specifications"),
    ),
    "lark": Package(("1.1.8", "1.1.9", "1.2.2"), ("lark",)),
    "mako": Package(
        ("1.3.5", "1.3.6", "1.3.8"), ("mako",), ("markupsafe",), skip=("testing",),
        differs=(r"mako\.parsetree:_TagMeta\._classmap.*",),  # the classes of the user
    ),
    "markdown": Package(("3.5.2", "3.6", "3.7", "3.8"), ("markdown",), tests=("tests",)),
    "marshmallow": Package(
        ("3.22.0", "3.23.0", "3.26.0"), ("marshmallow",), ("packaging", "simplejson"),
        tests=("tests",),
        differs=(r"marshmallow\.class_registry:_registry.*",),  # the classes of the user
    ),
    "more-itertools": Package(
        ("10.4.0", "10.5.0", "10.6.0"), ("more_itertools",), tests=("tests",),
        differs=(r".*\._EMPTY_HASH",),  # of an address
    ),
    "networkx": Package(
        ("3.2.1", "3.3"), ("networkx",), skip=("tests",),
        # What other modules have registered, and do not any more.
        differs=(r"networkx\.utils\.backends:_registered_algorithms.*",),
    ),
    "packaging": Package(
        ("23.2", "24.0", "24.1", "24.2", "25.0"), ("packaging",), ("pretend",),
        tests=("tests/test_markers.py", "tests/test_metadata.py", "tests/test_requirements.py"),
    ),
    "parso": Package(("0.8.0", "0.8.3", "0.8.4"), ("parso",)),
    "pathspec": Package(("0.11.2", "0.12.0", "0.12.1"), ("pathspec",), tests=("tests",)),
    "pluggy": Package(("1.4.0", "1.5.0", "1.6.0"), ("pluggy",)),
    "prompt_toolkit": Package(
        ("3.0.43", "3.0.47", "3.0.50"), ("prompt_toolkit",), ("wcwidth",)
    ),
    "pygments": Package(
        ("2.17.2", "2.18.0"), ("pygments",),
        # Lexers that stay have the functions that they had, and copies in others the new ones.
        differs=(r"pygments\.lexers\.sql:PostgresLexer\.tokens.*",),
    ),
    "pyparsing": Package(
        ("3.1.4", "3.2.0", "3.2.1"), ("pyparsing",), ("railroad-diagrams", "jinja2"),
        # A line number that an unchanged statement has noted; a list of all expressions, which
        # stays, with those of statements that call a method last.
        differs=(r".*pa_call_line_synth\[1\]", r".*_builtin_exprs.*"),
    ),
    "requests": Package(
        ("2.32.3", "2.32.4", "2.32.5"), ("requests",),
        ("urllib3", "charset_normalizer", "idna", "certifi"),
    ),
    "rich": Package(
        ("13.8.1", "13.9.1", "14.0.0"), ("rich",), ("markdown-it-py", "pygments", "attrs")
    ),
    "sortedcontainers": Package(("2.3.0", "2.4.0"), ("sortedcontainers",)),
    "sqlparse": Package(("0.4.4", "0.5.0", "0.5.1"), ("sqlparse",), tests=("tests",)),
    "starlette": Package(
        ("0.40.0", "0.41.3", "0.45.3"), ("starlette",), ("anyio", "httpx", "jinja2")
    ),
    "structlog": Package(("24.1.0", "24.4.0", "25.1.0"), ("structlog",)),
    "tinydb": Package(("4.7.1", "4.8.0", "4.8.2"), ("tinydb",)),
    "tomlkit": Package(("0.12.5", "0.13.0", "0.13.2"), ("tomlkit",), ("pyyaml",)),
    "toolz": Package(
        ("0.12.0", "0.12.1", "1.0.0"), ("toolz",), skip=("tests",),
        # What calls of functions that changed have given: it stays.
        differs=(r"toolz:__version__", r"toolz\.curried:.*", r"toolz\._signatures:.*"),
    ),
    "typer": Package(
        ("0.13.1", "0.15.1", "0.15.4"), ("typer",), ("click<8.2", "rich", "shellingham")
    ),
    "urllib3": Package(("2.2.2", "2.2.3", "2.3.0"), ("urllib3",), ("h2",), skip=("contrib",)),
    "websockets": Package(("13.1", "14.0", "15.0"), ("websockets",)),
    "werkzeug": Package(
        ("3.0.6", "3.1.0", "3.1.3"), ("werkzeug",), ("markupsafe",),
        # What a function has registered in a table that stays, and its source does not any more.
        differs=(r"werkzeug\.exceptions:(default_exceptions.*|MisdirectedRequest.*)",),
    ),
    "wtforms": Package(("3.1.2", "3.2.1"), ("wtforms",), ("markupsafe",), tests=("tests",)),
}  # fmt: skip


class Runs:
    """Runs of one package below a folder, each in a process of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.package = PACKAGES[name]
        self._name = name
        self._folder = folder
        self._fresh: dict[str, dict[str, Any]] = {}

    def fetch(self) -> None:
        """Has the releases, what they need, and the sources of those whose tests are run."""
        needs = self._folder / "needs"
        if not needs.exists() and self.package.needs:
            pip("install", "--target", str(needs), *self.package.needs)
        for release in self.package.releases:
            place, wanted = self._folder / release, f"{self._name}=={release}"
            if not place.exists():
                pip("install", "--no-deps", "--target", str(place), wanted)
            if self.package.tests and not (place.parent / f"source-{release}").exists():
                with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                    unpack(wanted, self.package.packages, Path(folder))
                    Path(folder, "source").rename(place.parent / f"source-{release}")

    def fresh(self, release: str, *, tests: bool = False) -> dict[str, Any]:
        """What there is of a release that was imported alone."""
        key = f"{release} {tests}"
        if key not in self._fresh:
            self._fresh[key] = self.run([release], "keep", tests=tests)
        return self._fresh[key]

    def run(
        self, steps: list[str], identity: str, *, tests: bool = False, careful: bool = False
    ) -> dict[str, Any]:
        """What a child says that has had these releases, one after the other."""
        work = self._folder / "work"
        work.mkdir(parents=True, exist_ok=True)
        plan, result = work / "plan", work / "result"
        result.unlink(missing_ok=True)
        asked = {
            "live": str(work / "live"), "releases": str(self._folder), "steps": steps,
            "packages": self.package.packages, "skip": self.package.skip, "identity": identity,
            "careful": careful, "tests": [*self.package.tests] if tests else [],
            "source": str(self._folder / f"source-{steps[-1]}"),
        }  # fmt: skip
        plan.write_text(json.dumps(asked))
        places = os.pathsep.join(map(str, (self._folder / "needs", CHILD.parent)))
        done = subprocess.run(
            [sys.executable, "-BX", "faulthandler", "-W", "ignore", str(CHILD), plan, result],
            env=os.environ | {"PYTHONPATH": places, "PYTHONHASHSEED": "0"},
            cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=SECONDS,
        )  # fmt: skip
        if not result.exists():
            return {"failed": f"exit {done.returncode}: {done.stdout[-3000:]}{done.stderr[-3000:]}"}
        found: dict[str, Any] = json.loads(result.read_text())
        if "refused" in found:
            found["log"] = done.stderr[-3000:]
        return found

    def complaints(self, steps: list[str], identity: str) -> Iterator[str]:
        """What is not as it is in a process that has the last of these releases alone."""
        found = self.run(steps, identity)
        if "failed" in found:
            yield found["failed"]
        elif "refused" in found:
            if not self.package.refuses:
                yield f"refused: {found['refused']}\n{found['log']}"
            before = self.run(steps, identity, careful=True)
            yield from (f"after the refusal, {each}" for each in before.get("changed", ()))
        else:
            wanted = self.fresh(steps[-1])["shapes"][0]
            for said in differences(wanted, found["shapes"][-1]):
                if not any(
                    re.fullmatch(each, said.split(": ")[0]) for each in self.package.differs
                ):
                    yield said
            yield from found["stale"]

    def test_complaints(self, steps: list[str], identity: str) -> Iterator[str]:
        """Tests that fail after a reload, and would not in a fresh process."""
        base = self.fresh(steps[-1], tests=True)["tests"]
        found = self.run(steps, identity, tests=True)
        if "tests" not in found:
            yield str(found.get("failed", found.get("refused")))
            return
        known = failures(base)
        yield from (
            f"{t}: {said[-2000:]}" for t, said in failures(found["tests"]).items() if t not in known
        )
        if len(found["tests"]) != len(base):
            yield f"{len(found['tests'])} tests ran, not {len(base)}"


def row(name: str, folder: Path, *, details: bool) -> tuple[list[str], int]:
    """The cells of the table for a package, and how many things went wrong."""
    runs = Runs(name, folder)
    runs.fetch()
    releases = runs.package.releases
    pairs = list(itertools.pairwise(releases))
    ways = [*map(list, pairs), *([b, a] for a, b in pairs), *([a, b, a, b] for a, b in pairs)]
    cells, wrong = [name, f"{releases[0]} to {releases[-1]}", str(len(ways))], 0
    for identity in IDENTITIES:
        count = 0
        for steps in ways:
            said = list(runs.complaints(steps, identity))
            if runs.package.tests and len(steps) == 2 and steps in map(list, pairs):
                said += runs.test_complaints(steps, identity)
            count += bool(said)
            for each in said[: None if details else 5]:
                print(f"{name}, {identity}, {' to '.join(steps)}: {each}", file=sys.stderr)
        cells.append(f"{count} differ" if count else "ok")
        wrong += count
    if runs.package.tests:
        cells.append(f"{len(runs.fresh(releases[-1], tests=True).get('tests', ())):,}")
    else:
        cells.append("")
    return cells, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help=", ".join(PACKAGES))
    parser.add_argument("--folder", type=Path, default=ROOT / "target" / "upgrades")
    parser.add_argument("--details", action="store_true", help="all that differs")
    options = parser.parse_args()
    folder = options.folder.resolve() / f"{sys.version_info.major}.{sys.version_info.minor}"
    names = options.names or PACKAGES
    rows = (row(name, folder / name, details=options.details) for name in names)
    return print_rows(["package", "releases", "ways", *IDENTITIES, "tests"], rows)


if __name__ == "__main__":
    sys.exit(main())
