"""Build the test extensions with the running interpreter's headers.

Each goes to ``target/test-ext/<EXT_SUFFIX>/`` with a stamp of what it was made
from, and is rebuilt when that changed.  What a build needs is a requirement of
the tests: a missing compiler or package is an error here, never a skip.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
SUFFIX: str = sysconfig.get_config_var("EXT_SUFFIX")
TARGET = HERE.parent.parent / "target" / "test-ext"
CACHE = TARGET / SUFFIX.strip(".")


def load(name: str) -> ModuleType:
    """Build the extension called name if it is out of date, and import it."""
    if name in sys.modules:
        return sys.modules[name]
    path = _built(name)
    loader = importlib.machinery.ExtensionFileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def _built(name: str) -> Path:
    sources, recipe = RECIPES[name]
    stamp_path = CACHE / f"{name}.stamp"
    path = CACHE / f"{name}{SUFFIX}"
    stamp = _stamp(sources)
    if not (path.exists() and stamp_path.exists() and stamp_path.read_text() == stamp):
        CACHE.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed, so that parallel runs see a whole file or none.
        fresh = CACHE / f"{name}.{os.getpid()}.tmp"
        recipe(fresh)
        os.replace(fresh, path)
        stamp_path.write_text(stamp)
    return path


def _stamp(sources: list[str]) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for source in sources:
        digest.update((HERE / source).read_bytes())
    return f"{sys.version}\n{digest.hexdigest()}\n"


def _handwritten(output: Path) -> None:
    _run([*_compiler("CC", "gcc"), "-std=c11", *_warnings(), str(HERE / "handwritten.c")], output)


def _cython(output: Path) -> None:
    c_file = output.with_suffix(".c")
    _check([sys.executable, "-m", "cython", str(HERE / "cyext.pyx"), "-o", str(c_file)])
    _run([*_compiler("CC", "gcc"), "-w", str(c_file)], output)
    c_file.unlink()


def _pybind(output: Path) -> None:
    import pybind11

    flags = ["-std=c++17", "-fvisibility=hidden", "-I", pybind11.get_include()]
    _run([*_compiler("CXX", "g++"), *flags, str(HERE / "pybind.cpp")], output)


def _pyo3(output: Path) -> None:
    env = {**os.environ, "PYO3_PYTHON": sys.executable, "CARGO_TARGET_DIR": str(TARGET / "cargo")}
    manifest = HERE / "pyo3ext" / "Cargo.toml"
    # One cargo target serves every interpreter: until it is copied, the library there
    # must stay the one built for this interpreter, whoever else builds at this time.
    with (TARGET / "pyo3ext.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _check(["cargo", "build", "--quiet", "--locked", "--manifest-path", str(manifest)], env)
        shutil.copy(TARGET / "cargo" / "debug" / "libpyo3ext.so", output)


RECIPES: dict[str, tuple[list[str], Callable[[Path], None]]] = {
    "handwritten": (["handwritten.c"], _handwritten),
    "cyext": (["cyext.pyx"], _cython),
    "pybind": (["pybind.cpp"], _pybind),
    "pyo3ext": (["pyo3ext/src/lib.rs", "pyo3ext/Cargo.lock", "pyo3ext/Cargo.toml"], _pyo3),
}


def _compiler(variable: str, default: str) -> list[str]:
    """The compiler to call: the environment's choice, or the platform's usual one.

    Not sysconfig's: that is the one the interpreter was built with, which need not
    be on this machine.
    """
    return os.environ.get(variable, default).split()


def _warnings() -> list[str]:
    # PyMethodDef's function pointers and PyMemberDef's terminators warn in any extension.
    off = ("unused-parameter", "missing-field-initializers", "cast-function-type")
    return ["-Wall", "-Wextra", "-Werror", *(f"-Wno-{name}" for name in off)]


def _run(command: list[str], output: Path) -> None:
    include = Path(sysconfig.get_path("include"))
    # Debian's pyconfig.h includes <x86_64-linux-gnu/…>, relative to the folder above.
    paths = ["-isystem", str(include), "-idirafter", str(include.parent)]
    _check([*command, "-g", "-O1", "-fPIC", "-shared", *paths, "-o", str(output)])


def _check(command: list[str], env: dict[str, str] | None = None) -> None:
    # Without what makes the tests run under another allocator: rustc crashes with libasan.
    env = {k: v for k, v in (env or os.environ).items() if k != "LD_PRELOAD"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
