"""Runs in the process that was attached to, and says what it did in a file."""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from typing import Any

from gcremap._reload.reloader import Reloader
from gcremap._reload.sources import source
from gcremap._watch.outcome import without_us

ANSWER = "answer.json"
ABANDONED = "abandoned"
"""Stands in the folder once nobody waits for an answer any more."""


def reload(names: list[str], folder: str, arrived: bool) -> None:
    """Reload those of the modules `names` that are imported.

    `arrived` says that gcremap has come into this process only now: what its modules were
    loaded from is then not what their files say.
    """
    answer: dict[str, Any] = {"reports": [], "error": None}
    try:
        modules = [sys.modules[name] for name in names if name in sys.modules]
        for module in modules if arrived else ():
            source.forget(module)
        for report in Reloader().reload(*modules) if modules else ():
            answer["reports"].append(
                {
                    "module": report.module.__name__,
                    "changed": report.updated,
                    "added": report.added,
                    "removed": report.removed,
                    "kept": report.kept,
                    "note": report.warnings,
                }
            )
    except BaseException as error:  # SystemExit, too: the program is to go on
        trace = without_us(error.__traceback__)
        answer["error"] = "".join(traceback.format_exception(type(error), error, trace))
    part = os.path.join(folder, "answer.part")
    with open(part, "w", encoding="utf-8") as file:
        json.dump(answer, file)
    os.replace(part, os.path.join(folder, ANSWER))
    if os.path.exists(os.path.join(folder, ABANDONED)):
        shutil.rmtree(folder, ignore_errors=True)
