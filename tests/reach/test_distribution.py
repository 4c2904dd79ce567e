"""What is built, and for which versions, agrees with what is said of it."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_wheels_are_built_for_every_version_that_is_supported() -> None:
    claimed = {
        each.rpartition(" ")[2].replace(".", "")
        for each in PROJECT["project"]["classifiers"]
        if re.search(r"Python :: 3\.\d+$", each)
    }
    built = set(re.findall(r"cp(\d+)-\*", PROJECT["tool"]["cibuildwheel"]["build"]))
    assert built == claimed
    assert len(built) == 5


def test_pytest_finds_the_plugin() -> None:
    [plugin] = importlib.metadata.entry_points(group="pytest11", name="gcremap.testing")
    assert hasattr(plugin.load(), "replace_everywhere")


def test_extras_have_what_their_features_import() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    names = {extra: {re.split(r"[>=<]", each)[0] for each in extras[extra]} for extra in extras}
    assert names["watch"] == {"rich", "watchfiles"}
    assert names["watch"] < names["test"]
