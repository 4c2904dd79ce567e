"""An interpreter whose memory is laid out otherwise than the headers said is refused at
import, in one sentence.

A child process changes what the interpreter says of itself before it imports gcremap.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

CHILD = r"""
import ctypes, gc, struct, sys

gc.disable()
WORD = struct.calcsize("P")
HEAD = object.__basicsize__ - 2 * WORD  # what Py_TRACE_REFS puts first


def word(address):
    return ctypes.c_size_t.from_address(address)


def runtime():
    return ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))


def type_field(type, index):
    return word(id(type) + HEAD + index * WORD)


BASICSIZE, TRAVERSE = 4, 23  # words of PyTypeObject
SHOWS_NOTHING = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 3)(lambda *_: 0)


def table_of_offsets(index):
    "A number of _PyRuntime.debug_offsets: cookie, version, free_threaded, ..."
    return word(runtime() + 8 * index)


def nothing():
    pass


{poison}
try:
    import gcremap
except ImportError as error:
    print(error.__cause__ or error)
else:
    print("imported")
sys.stdout.flush()
import os
os._exit(0)  # what was changed is not put back
"""

NEW_TABLE = pytest.mark.skipif(sys.version_info < (3, 13), reason="no table of offsets")
DEBUG = hasattr(sys, "gettotalrefcount")


def import_after(poison: str) -> str:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", CHILD.replace("{poison}", poison)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_what_is_unchanged_is_imported() -> None:
    assert import_after("") == "imported"


POISONS = {
    "size of a list": ("type_field(list, BASICSIZE).value += WORD", "list"),
    "size of a function": (
        "type_field(type(nothing), BASICSIZE).value += WORD",
        "function",
    ),
    "a cell that shows nothing": (
        "type_field(type((lambda x: lambda: x)(1).__closure__[0]), TRAVERSE).value = "
        "ctypes.cast(SHOWS_NOTHING, ctypes.c_void_p).value",
        "cell",
    ),
    "a dict that shows nothing": (
        "type_field(dict, TRAVERSE).value = ctypes.cast(SHOWS_NOTHING, ctypes.c_void_p).value",
        "dict",
    ),
}


@pytest.mark.parametrize("case", POISONS)
def test_another_layout_is_refused(case: str) -> None:
    poison, what = POISONS[case]
    sentence = import_after(poison)
    assert "\n" not in sentence
    assert sentence.endswith(f"lays out its memory otherwise ({what}): install it again here")


@NEW_TABLE
@pytest.mark.parametrize(
    ("index", "what"), [(0, "the runtime's own table"), (9, "interpreter_state.threads_head")]
)
def test_the_table_of_offsets_is_compared(index: int, what: str) -> None:
    sentence = import_after(f"table_of_offsets({index}).value += 8")
    assert f"lays out its memory otherwise ({what}" in sentence


@NEW_TABLE
def test_free_threading_is_refused() -> None:
    assert "is a free-threaded build" in import_after("table_of_offsets(2).value = 1")


def test_the_other_kind_of_build_is_refused() -> None:
    change = "del sys.gettotalrefcount" if DEBUG else "sys.gettotalrefcount = lambda: 0"
    running = "release" if DEBUG else "debug"
    assert f"is a {running} build: install it again here" in import_after(change)


def test_tracing_of_references_is_refused() -> None:
    change = "del sys.getobjects" if hasattr(sys, "getobjects") else "sys.getobjects = list"
    assert "Py_TRACE_REFS" in import_after(change)
