"""examples/workers.py on a cluster of dask.distributed. `make stress` runs it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from dask.distributed import Client, LocalCluster

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"

pytestmark = pytest.mark.filterwarnings("default")


def ask() -> tuple[int, str, int]:
    import model

    return os.getpid(), model.predict("cats"), id(model.CACHE["cats"])


def test_every_worker_reloads_and_keeps_its_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The workers get the path of the process that starts them.
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.syspath_prepend(tmp_path)
    import workers

    source = tmp_path / "model.py"
    source.write_text(workers.MODEL)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        before: dict[str, Any] = client.run(ask)
        source.write_text(workers.MODEL.replace("RESULT", "a better result"))
        reports = client.run(workers.reload_here, "model")
        after = client.run(ask)
    assert len(before) == 2
    for worker, (pid, answer, loaded) in before.items():
        assert answer == "weights of cats: RESULT"
        assert reports[worker] == (pid, ["predict"], ["CACHE"])
        assert after[worker] == (pid, "weights of cats: a better result", loaded)
