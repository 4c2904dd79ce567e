"""Reload modules of programs that run already, by their process ids."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gcremap._cli import attached

_SCRIPT = """\
def _reload():
    import os, shutil, sys
    try:
        os.mkdir({folder!r} + "/" + {begun!r})
    except OSError:  # it was asked twice
        if os.path.exists({folder!r} + "/" + {answer!r}):
            shutil.rmtree({folder!r}, ignore_errors=True)
        return
    arrived = "gcremap" not in sys.modules
    sys.path.append({packages!r})
    try:
        from gcremap._cli.attached import reload
    except BaseException as error:
        import json
        with open({folder!r} + "/answer.part", "w") as file:
            json.dump({{"reports": [], "error": f"{{type(error).__name__}}: {{error}}\\n"}}, file)
        os.replace({folder!r} + "/answer.part", {folder!r} + "/" + {answer!r})
        return
    finally:
        sys.path.remove({packages!r})
    reload({names!r}, {folder!r}, arrived)

_reload()
"""
_BEGUN = "begun"
"""Stands in the folder once the process is at it."""
_AGAIN = 1.0
"""After so many seconds a process that has not begun is asked once more. It has dropped what it
was asked if it was in fork() then (PyOS_AfterFork_Child of CPython's posixmodule.c)."""


@dataclass(slots=True)
class Answer:
    """What a process did."""

    pid: int
    refused: str | None = None
    """Why it could not be asked."""
    pending: bool = False
    """It has not come to it in time, and will yet."""
    error: str | None = None
    """The traceback of what went wrong in it."""
    reports: list[dict[str, Any]] = field(default_factory=list)


def reload(pids: Iterable[int], names: list[str], timeout: float) -> list[Answer]:
    """Reload the modules `names` in the processes `pids`, all at the same time.

    Each does it in its main thread at the next step of its program, if that is within
    `timeout` seconds. Raises NotImplementedError where Python itself cannot attach.
    """
    if sys.version_info < (3, 14):
        version = ".".join(map(str, sys.version_info[:2]))
        raise NotImplementedError(
            f"attach needs Python 3.14 or later, here and in the process; this is {version}"
        )
    requests = [_Request(Answer(pid), names, _folder_for(pid)) for pid in pids]
    for request in requests:
        request.send()
    deadline = time.monotonic() + timeout
    waiting = requests
    while waiting := [request for request in waiting if not request.is_done()]:
        over = time.monotonic() >= deadline
        for request in waiting:
            if over:
                request.abandon()
            else:
                request.remind()
        time.sleep(0.01)
    return [request.answer for request in requests]


def descendants(pid: int) -> list[int]:
    """The children of a process and theirs, by what /proc says."""
    parents = dict(_parents())
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name of the program may have blanks and parentheses in it.
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        yield int(path.parent.name), int(fields[1])


def _folder_for(pid: int) -> str:
    """A folder for what is said to a process and what it answers, which nobody else can write."""
    folder = tempfile.mkdtemp(prefix="gcremap-")
    try:
        owner = os.stat(f"/proc/{pid}").st_uid
        if owner != os.geteuid():
            os.chown(folder, owner, -1)
    except OSError:
        pass  # attaching will fail as well, and say why
    return folder


@dataclass(slots=True)
class _Request:
    """What a process is asked to do."""

    answer: Answer
    names: list[str]
    folder: str
    _sent: float = 0.0
    _may_run_again: bool = False

    def send(self) -> None:
        """Have the process run the script, which does its work once."""
        packages = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        script = Path(self.folder, "reload.py")
        text = _SCRIPT.format(
            packages=packages,
            folder=self.folder,
            begun=_BEGUN,
            answer=attached.ANSWER,
            names=self.names,
        )
        script.write_text(text, encoding="utf-8")
        script.chmod(0o644)
        self._ask()

    def remind(self) -> None:
        if time.monotonic() - self._sent >= _AGAIN and not self._has_begun():
            self._ask()
            self._may_run_again = self._has_begun()

    def _has_begun(self) -> bool:
        return os.path.exists(os.path.join(self.folder, _BEGUN))

    def _ask(self) -> None:
        self.answer.refused = _run_remotely(self.answer.pid, os.path.join(self.folder, "reload.py"))
        self._sent = time.monotonic()

    def is_done(self) -> bool:
        """Whether there is nothing to wait for any more; takes what the process answered."""
        if self.answer.pending:
            return True
        path = os.path.join(self.folder, attached.ANSWER)
        if self.answer.refused is None:
            # In this order: what it has said before its end counts.
            ended = not os.path.exists(f"/proc/{self.answer.pid}")
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    said = json.load(file)
                self.answer.error, self.answer.reports = said["error"], said["reports"]
            elif ended:
                self.answer.refused = "it has ended"
            else:
                return False
        if not self._may_run_again:
            shutil.rmtree(self.folder, ignore_errors=True)
        return True

    def abandon(self) -> None:
        self.answer.pending = True
        Path(self.folder, attached.ABANDONED).touch()


def _run_remotely(pid: int, script: str) -> str | None:
    """Returns the reason if the process cannot be asked."""
    try:
        sys.remote_exec(pid, script)  # type: ignore[attr-defined,unused-ignore]
    except PermissionError:
        return (
            "no permission to look into it: be the same user, and root (or have the capability "
            "SYS_PTRACE) where kernel.yama.ptrace_scope is not 0"
        )
    except ProcessLookupError:
        return "there is no such process"
    except (OSError, RuntimeError) as error:
        if not os.path.exists(f"/proc/{pid}"):
            return "there is no such process"
        if "address lookup failed" in str(error):
            return "it is no process of Python 3.14 or later"
        return str(error)
    return None
