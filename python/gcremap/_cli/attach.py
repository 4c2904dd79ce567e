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
    import sys
    arrived = "gcremap" not in sys.modules
    sys.path.append({packages!r})
    try:
        from gcremap._cli.attached import reload
    except BaseException as error:
        import json, os
        with open({folder!r} + "/answer.part", "w") as file:
            json.dump({{"reports": [], "error": f"{{type(error).__name__}}: {{error}}\\n"}}, file)
        os.replace({folder!r} + "/answer.part", {folder!r} + "/" + {answer!r})
        return
    finally:
        sys.path.remove({packages!r})
    reload({names!r}, {folder!r}, arrived)

_reload()
"""


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
    answers = []
    folders: dict[int, str] = {}
    for pid in pids:
        answer = Answer(pid)
        answers.append(answer)
        folders[pid] = _folder_for(pid)
        answer.refused = _send(pid, names, folders[pid])
    deadline = time.monotonic() + timeout
    for answer in answers:
        _collect(answer, folders[answer.pid], deadline)
    return answers


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


def _send(pid: int, names: list[str], folder: str) -> str | None:
    """Have a process run the script; returns the reason if it cannot."""
    packages = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    script = Path(folder, "reload.py")
    script.write_text(
        _SCRIPT.format(packages=packages, folder=folder, answer=attached.ANSWER, names=names),
        encoding="utf-8",
    )
    script.chmod(0o644)
    try:
        sys.remote_exec(pid, str(script))  # type: ignore[attr-defined,unused-ignore]
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


def _collect(answer: Answer, folder: str, deadline: float) -> None:
    path = os.path.join(folder, attached.ANSWER)
    while answer.refused is None and not os.path.exists(path):
        if not os.path.exists(f"/proc/{answer.pid}"):
            answer.refused = "it has ended"
        elif time.monotonic() >= deadline:
            answer.pending = True
            Path(folder, attached.ABANDONED).touch()
            return
        else:
            time.sleep(0.01)
    if answer.refused is None:
        with open(path, encoding="utf-8") as file:
            said = json.load(file)
        answer.error, answer.reports = said["error"], said["reports"]
    shutil.rmtree(folder, ignore_errors=True)
