"""What decides whether an old dies, run where no word is left over that looks like its address."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable


def run_apart(work: Callable[[], object]) -> None:
    """Runs it on a stack of its own, which is gone when this returns, as are the pins for it."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    # The first releases what is no longer in use, the second frees the cycles of it.
    gc.collect()
    gc.collect()
