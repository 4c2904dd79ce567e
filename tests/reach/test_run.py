"""python -m gcremap run: a program as python runs it, reloaded when it is saved."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

MAIN = """\
import sys
from shop import price

def greeting():
    return "hello"

def main():
    for line in sys.stdin:
        print(greeting(), price(), flush=True)

if __name__ == "__main__":
    print(__name__, sys.argv[1:], flush=True)
    main()
"""
SHOP = "def price():\n    return {}\n"


def start(cwd: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "gcremap", "run", *arguments],
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def run(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(cwd, *arguments)
    output, errors = process.communicate(timeout=60)
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


def ask(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    print(file=process.stdin, flush=True)
    return process.stdout.readline().rstrip()


def test_program_is_reloaded_as_it_is_saved_and_goes_on_when_that_fails(folder: Any) -> None:
    folder.write(app=MAIN, shop=SHOP.format(1))
    process = start(folder.root, "app.py", "--flag", "-m", "x")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "__main__ ['--flag', '-m', 'x']\n"
    assert ask(process) == "hello 1"

    folder.write(shop=SHOP.format(2))
    assert process.stderr.readline().startswith("↻ shop (")
    assert process.stderr.readline().split() == ["changed", "price"]
    assert ask(process) == "hello 2"

    folder.write(app=MAIN.replace('"hello"', '"good day"'))
    assert process.stderr.readline().startswith("↻ __main__ (")
    assert process.stderr.readline().split() == ["changed", "greeting"]
    assert ask(process) == "good day 2"

    folder.write(shop="def price(:\n")
    lines = iter(process.stderr.readline, "✗ shop: not reloaded, nothing has changed\n")
    assert "SyntaxError: invalid syntax\n" in lines
    assert ask(process) == "good day 2"
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (0, "")
    assert [line for line in errors.splitlines() if "not reloaded" not in line] == []


def test_module_and_folder_to_watch(folder: Any) -> None:
    (folder.root / "pkg").mkdir()
    (folder.root / "lib").mkdir()
    (folder.root / "pkg" / "__init__.py").touch()
    (folder.root / "pkg" / "__main__.py").write_text(
        MAIN.replace("from shop", "sys.path.append('lib')\nfrom .sub import name\nfrom shop")
    )
    (folder.root / "pkg" / "sub.py").write_text("name = __name__\n")
    shop = folder.root / "lib" / "shop.py"
    shop.write_text(SHOP.format(1))
    process = start(folder.root, "--watch", "lib", "-m", "pkg", "--watch", "y")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "__main__ ['--watch', 'y']\n"
    assert ask(process) == "hello 1"
    shop.write_text(SHOP.format(2))
    assert process.stderr.readline().startswith("↻ shop (")
    assert process.stderr.readline().split() == ["changed", "price"]
    assert ask(process) == "hello 2"
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_program_finds_what_python_would_have_given_it(folder: Any) -> None:
    facts = """
        import sys, os
        assert sys.modules["__main__"].__dict__ is globals()
        assert __file__ == os.path.abspath("sub/app.py"), __file__
        assert sys.argv == ["sub/app.py", "a"], sys.argv
        assert sys.path[0] == os.path.abspath("sub"), sys.path
        assert __spec__ is None and __package__ is None and __builtins__.len is len
        import atexit, threading
        atexit.register(lambda: print("at exit", [thread.name for thread in threading.enumerate()]))
        threading.Timer(0.2, print, ["thread"]).start()
        sys.exit(3)
    """
    (folder.root / "sub").mkdir()
    (folder.root / "sub" / "app.py").write_text(textwrap.dedent(facts))
    done = run(folder.root, "sub/app.py", "a")
    assert (done.returncode, done.stderr) == (3, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "thread"
    assert lines[1].startswith("at exit")
    assert not (folder.root / "sub" / "__pycache__").exists()


def test_traceback_of_the_program_is_its_own(folder: Any) -> None:
    folder.write(app="def f():\n    return 1 / 0\nf()\n")
    done = run(folder.root, "app.py")
    assert done.returncode == 1
    assert "gcremap" not in done.stderr
    assert done.stderr.splitlines()[1].endswith('app.py", line 3, in <module>')
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.py"], "gcremap: there is no script nowhere.py"),
        (["-m", "nowhere"], "gcremap: there is no module nowhere with a source that can be run"),
        (["--watch", "nowhere", "app.py"], "there is no such file or folder"),
        ([], "run: say which script, or which module with -m"),
    ],
)
def test_what_cannot_run_is_said_in_a_sentence(
    folder: Any, arguments: list[str], words: str
) -> None:
    folder.write(app="print('ran')\n")
    done = run(folder.root, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr.splitlines()[-1]
