"""What the README and the pages of docs/ show is what happens.

The Python examples under one second-level heading are one program, run in a folder of its own.
One with a title is a file of that name, saved at that point of the program: `title="shop.py"`.
A file test_*.py is run by pytest when the program is over. Examples marked `.ipython` are
cells. Of commands it is checked that they exist and take these arguments.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import operator
import re
import shlex
import subprocess
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import gcremap
from gcremap._cli.arguments import _parser

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.M | re.S)
SAVE = "__import__('pathlib').Path({!r}).write_text({!r})\n"
CELL = "_cell({!r})\n"
SHELL = """
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
_config = Config()
_config.HistoryManager.enabled = False
_shell = InteractiveShell.instance(config=_config)
def _cell(text):
    _shell.run_cell(text, store_history=True).raise_error()
"""


@dataclass
class Program:
    """The examples of one section of a page."""

    name: str
    lines: list[str] = field(default_factory=list)
    suites: list[str] = field(default_factory=list)

    def add(self, info: str, text: str) -> None:
        title = re.search(r'title="([^"]+)"', info)
        if title is not None:
            self.lines.append(SAVE.format(title[1], text))
            if title[1].startswith("test_"):
                self.suites.append(title[1])
        elif ".ipython" in info:
            if SHELL not in self.lines:
                self.lines.append(SHELL)
            self.lines.append(CELL.format(text))
        else:
            self.lines.append(text)


def programs(page: Path) -> list[Program]:
    found = []
    sections = re.split(r"^## (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    for name, section in zip(["", *sections[1::2]], sections[::2], strict=True):
        program = Program(f"{page.stem}: {name}" if name else page.stem)
        for block in BLOCK.finditer(section):
            if re.match(r"\W*python\b", block["info"]):
                program.add(block["info"], block["text"])
        if program.lines:
            found.append(program)
    return found


PROGRAMS = [program for page in PAGES for program in programs(page)]


def commands() -> list[str]:
    """The lines of shell examples, without comments."""
    texts = [block["text"] for page in PAGES for block in BLOCK.finditer(page.read_text())
             if block["info"] in ("sh", "console")]  # fmt: skip
    indented = re.findall(r"(?:^    .*\n)+", (ROOT / "README.md").read_text(), flags=re.M)
    lines = [re.sub(r"\s+#.*", "", line.strip()) for text in texts + indented
             for line in text.splitlines()]  # fmt: skip
    return [line for line in lines if line.startswith(("python -m gcremap", "make "))]


def test_there_are_examples() -> None:
    assert len(PROGRAMS) > 20
    assert len(commands()) > 5


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_examples(program: Program, tmp_path: Path) -> None:
    # A script of its own, as its reader would run it: nothing of pytest's refers to its objects.
    script = tmp_path / "example.py"
    script.write_text("".join(program.lines), encoding="utf-8")
    if SHELL in program.lines:
        pytest.importorskip("IPython")
    run([str(script)], tmp_path)
    for suite in program.suites:
        run(["-m", "pytest", "-q", "-p", "no:cacheprovider", suite], tmp_path)


@pytest.mark.parametrize("command", commands())
def test_commands(command: str) -> None:
    words = shlex.split(command.replace("…", "").replace("[--watch PATH]", "--watch PATH"))
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.M)
        return
    with contextlib.redirect_stdout(io.StringIO()):
        assert _parser().parse_args(words[3:]).command in ("run", "attach")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not re.match(r"\w+:", target):
            assert (page.parent / target).exists(), target


def test_what_a_save_prints() -> None:
    console = pytest.importorskip("rich.console")
    from gcremap._watch.printer import Printer

    page = (ROOT / "docs" / "services.md").read_text(encoding="utf-8")
    [shown] = [block["text"] for block in BLOCK.finditer(page) if block["info"] == "text"]
    module = types.ModuleType("pricing")
    report = gcremap.ReloadReport(
        module, updated=["total", "Cart.add"], kept=["SESSIONS", "DEFAULT_TAX"], seconds=0.004
    )
    printed = io.StringIO()
    Printer(console.Console(file=printed))(gcremap.Outcome([module], [report]))
    assert printed.getvalue() == shown


# ---- the reference ----

REFERENCE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^###? |\Z)", REFERENCE, flags=re.M | re.S))
SIGNATURES = [
    line
    for block in BLOCK.finditer(REFERENCE)
    if block["info"] == "pyi"
    for line in block["text"].splitlines()
]


def test_reference_has_all_names() -> None:
    assert set(SECTIONS) == set(gcremap.__all__) - {"__version__"}


@pytest.mark.parametrize("line", SIGNATURES)
def test_signature(line: str) -> None:
    said = re.fullmatch(r"(?P<name>[\w.]+)(?P<parameters>\(.*?\))( -> (?P<result>.+))?", line)
    assert said is not None
    value = operator.attrgetter(said["name"])(gcremap)
    signature = inspect.signature(value)
    parameters = [
        each.replace(annotation=inspect.Parameter.empty)
        for each in signature.parameters.values()
        if each.name != "self"
    ]
    plain = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    assert said["parameters"] == str(plain)
    if said["result"] is not None and signature.return_annotation is not inspect.Signature.empty:
        assert said["result"] == signature.return_annotation


@pytest.mark.parametrize("name", [each for each in SECTIONS if each[0].isupper()])
def test_reference_has_all_attributes(name: str) -> None:
    cls = getattr(gcremap, name)
    public = {each for each in dir(cls) if each[0] != "_"} - set(dir(Exception))
    public |= {each for each in getattr(cls, "__annotations__", {}) if each[0] != "_"}
    if cls is not gcremap.Reloader:  # whose attributes are the arguments, as given
        public |= set(re.findall(r"self\.([a-z]\w*)(?:: .*)? = ", inspect.getsource(cls)))
    missing = {each for each in public if not re.search(rf"\b{each}\b", SECTIONS[name])}
    assert missing == set()


def test_demo() -> None:
    output = run([str(ROOT / "examples" / "demo.py")], ROOT / "examples")
    assert "✗" not in output
    assert "\033" not in output


def run(arguments: list[str], folder: Path) -> str:
    command = [sys.executable, "-X", "utf8", "-W", "error", "-X", "faulthandler", *arguments]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
