"""The scenarios by which benches/peers compares tools: gcremap passes them, but for those that
are known to be out of reach, and none passes where nothing is reloaded."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "benches" / "peers"))

import edits_of_code  # noqa: E402, F401 - registers scenarios
import edits_of_state  # noqa: E402, F401
from program import OUT_OF_REACH, SCENARIOS, Program  # noqa: E402
from tools import TOOLS  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [each for each in sys.modules if each.partition(".")[0] == "app"]:
        del sys.modules[name]
    gc.collect()


def run(tool: str, scenario: str, folder: Path) -> None:
    loaded, reload = TOOLS[tool](folder)
    SCENARIOS[scenario](Program(folder, loaded, reload))


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if each not in OUT_OF_REACH])
def test_gcremap_passes(scenario: str, folder: Path) -> None:
    run("gcremap", scenario, folder)


@pytest.mark.parametrize("scenario", sorted(OUT_OF_REACH))
def test_out_of_reach(scenario: str, folder: Path) -> None:
    with pytest.raises((AssertionError, AttributeError)):
        run("gcremap", scenario, folder)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_scenario_passes_without_a_reload(scenario: str, folder: Path) -> None:
    with pytest.raises((AssertionError, AttributeError, KeyError, TypeError)):
        run("nothing", scenario, folder)


def test_what_is_said_of_them() -> None:
    passed = len(SCENARIOS) - len(OUT_OF_REACH)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"of {len(SCENARIOS)} scenarios gcremap passes {passed}" in readme
    page = (ROOT / "docs" / "peers.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| [✓·] \|", page, flags=re.M)
    assert rows == [(each.__doc__ or "").strip() for each in SCENARIOS.values()]
    assert f"| **of {len(SCENARIOS)}** | **{passed}** |" in page
