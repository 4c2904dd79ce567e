"""The code of an edit, much of it that of the version before, is what the whole compiles to."""

from __future__ import annotations

import importlib
import os
import random
import sys
import time
import warnings
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from gcremap._reload.matching import alternatives, match
from gcremap._reload.sources import codes, definitions, recompile, source
from gcremap._reload.sources.outline import Outline
from gcremap._reload.sources.recompile import code_after

F = "def f():\n    return 1\n"
A = "async def f():  # why\n    # how\n    yield 1\n"
FUTURE = "from __future__ import annotations\n"
IT = "def it(a,\n       b):\n    '''it\nis'''\n"
C = "class C:\n    def m(self):\n        return super().m()\n"


def after(old: str, new: str, path: str = "<mod>") -> CodeType | None:
    code = compiled(old, path)
    before = Outline(old, None, code)
    return code_after(Outline(new, before), "<mod>", before, code)


def compiled(text: str, path: str = "<mod>") -> CodeType:
    return compile(text, path, "exec", dont_inherit=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (F + "x = 1\n", F + "x = 2\n"),
        (F + C, F + C + "x = 2\n"),
        ("@f\n@g(1,\n  2)\n" + F + C, "@f\n@g(1,\n  2)\n" + F + "x = 1\n" + C),
        ("x = 1\n" + F, "\n\n" + F),
        (F + "def g(a=lambda: 1, *b): return a\nx = 1", F + "def g(a=lambda: 1, *b): return a\n"),
        ("def f(\n    a\n):\n    '''it'''\nx = 1\n", "def f(\n    a\n):\n    '''it'''\n"),
        (IT + "    return 1\n" + F, IT + "    return 2\n" + F),
        (IT + "    x: int\n    return 1\n" + F, IT + "    x: int\n    return 2\n" + F),
        ("def g(a,\n      b): return 1\n" + F, "def g(a,\n      b): return 1\n" + F + "x = 1\n"),
        (F + "def g(): return (\n    1)\n", "def f():\n    return 2\ndef g(): return (\n    1)\n"),
        (A + "x = 1\n", A + "x = 2\n"),
        (F + "import x\ndef g():\n    1\n", F + "import x\ndef g():\n    x.y()\n"),
        (
            F + "def g(a=lambda: 1, b=lambda: 2):\n    1\n",
            F + "def g(a=lambda: 1, b=lambda: 2):\n    2\n",
        ),
        (FUTURE + F + "def g():\n    1\n", FUTURE + F + "def g():\n    def h(a: b): pass\n"),
        (FUTURE + F + "x: y = 1\n", FUTURE + F + "x: z = 1\n"),
    ],
)
def test_code_is_that_of_the_whole(old: str, new: str) -> None:
    made = after(old, new)
    assert made is not None
    assert told(made) == told(compiled(new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def f():\n    global x\n    x = 1\n", "x = 1\ndef f():\n    global x\n    x = 1\n"),
        (F + "x = 1\n", FUTURE + F + "x = 1\n"),
        (F + "x = 1\n", F + "return\n"),
        (F + "x = 1\n", F + "x = \n"),
        (F, "x = 1\n"),
    ],
    ids=["global", "another future", "an error", "no Python", "nothing stays"],
)
def test_what_takes_the_whole_to_know_is_not_told(old: str, new: str) -> None:
    try:
        made = after(old, new)
    except SyntaxError:
        return
    assert made is None


def test_a_file_at_another_path_is_compiled_as_a_whole() -> None:
    assert after(F, F + C, path="<elsewhere>") is None


@pytest.mark.parametrize("module", [alternatives, definitions, match, Path, random])
def test_any_edits_compile_to_what_the_whole_does(module: Any) -> None:
    path = sys.modules[module.__module__].__file__ if isinstance(module, type) else module.__file__
    chance, text = random.Random(path), Path(path).read_text()
    code, reused = compiled(text), 0
    outline = Outline(text, None, code)
    for _ in range(20):
        lines = text.split("\n")
        at = chance.randrange(len(lines))
        if chance.random() < 0.5:
            lines.insert(
                at, chance.choice(["x = 1", "", "    pass", "    global x", "class A: pass"])
            )
        else:
            lines[at] = lines[at].replace("1", "2").replace("self", "me")
        edited = "\n".join(lines)
        try:
            whole = compiled(edited)
        except SyntaxError:
            continue
        now = Outline(edited, outline)
        made = code_after(now, "<mod>", outline, code)
        if made is not None:
            assert told(made) == told(whole)
            reused += 1
        text, outline, code = edited, now, whole
    assert reused > 0


def test_a_loader_that_was_patched_compiles_all(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "def f(): return 'word'\ndef g():\n    return 'word'\nx = {0}\n"
    mod = project.load(mod=source.format(1))
    project.reload(mod=source.format(2))
    plain = SourceFileLoader.source_to_code

    def patched(self: Any, data: bytes, path: str) -> CodeType:
        return plain(self, data.replace(b"word", b"another"), path)

    with monkeypatch.context() as patch:
        patch.setattr(SourceFileLoader, "source_to_code", patched)
        for version in (3, 4):
            project.reload(mod=source.format(version))
            assert (mod.f(), mod.g(), mod.x) == ("another", "another", version)
    project.reload(mod=source.format(5))
    assert (mod.f(), mod.g()) == ("word", "word")


def test_the_code_that_was_imported_is_not_compiled_again(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mod = project.load(mod=F + C + "x = 1\n")
    texts: list[str] = []

    def spy(text: str, *options: Any, **more: Any) -> CodeType:
        texts.append(text)
        return compile(text, *options, **more)

    for each in (recompile, source):
        monkeypatch.setattr(each, "compile", spy, raising=False)
    project.reload(mod=F + C + "x = 2\n")
    assert mod.x == 2
    assert not any("return" in text for text in texts)


def test_a_pyc_that_may_lack_an_edit_is_not_trusted(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    stamp = int(time.time()) + 5
    path = project.root / "mod.py"

    def load(text: str) -> Any:
        path.write_text(text)
        os.utime(path, (stamp, stamp))
        sys.modules.pop("mod", None)
        return importlib.import_module("mod")

    load("def f():\n    return 1\n")
    mod = load("def f():\n    return 2\n")
    assert mod.f() == 1  # so says the .pyc, as CPython takes it
    project.reload(mod="def f():\n    return 2\nx = 1\n")
    assert (mod.x, mod.f()) == (1, 2)


def told(code: CodeType) -> list[Any]:
    return [
        (each.co_qualname, each.co_code, constants(each), each.co_names, each.co_varnames,
         each.co_freevars, each.co_cellvars, each.co_flags, each.co_stacksize,
         each.co_exceptiontable, list(each.co_lines()))
        for each in codes.tree(code)
    ]  # fmt: skip


def constants(code: CodeType) -> list[str]:
    return [repr(each) for each in code.co_consts if not isinstance(each, CodeType)]


def test_what_the_compiler_warns_of_is_said_once(
    project: Any, recwarn: pytest.WarningsRecorder
) -> None:
    project.load(mod="def f():\n    return '\\('\n")
    recwarn.clear()
    filters = list(warnings.filters)
    project.reload(mod="def f():\n    return '\\(' + ''\nx = 1\n")
    assert [Path(said.filename).name for said in recwarn] == ["mod.py"]
    assert warnings.filters == filters
