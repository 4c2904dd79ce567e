"""Where the program can be changed: in its main thread, between two of its steps."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable
from types import FrameType

Job = Callable[[], None]
Schedule = Callable[[Job], object]
"""Arranges for a job to be called, as `loop.call_soon_threadsafe` does."""

_waiting: deque[Job] = deque()


class _Once:
    """A job that two threads may come to, and one does."""

    def __init__(self, job: Job) -> None:
        self._job = [job]
        self.taken = threading.Event()
        self.done = threading.Event()

    def __call__(self) -> None:
        try:
            job = self._job.pop()
        except IndexError:
            return
        self.taken.set()
        try:
            job()
        finally:
            self.done.set()


def prepare() -> bool:
    """Make `run` reach the main thread from now on; False if this is not the main thread.

    A signal is what makes it leave a sleep, a lock or a select, which it goes back to
    afterwards. The handler stays for good: without one, a late signal would end the process.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    if signal.getsignal(_number()) is not _handle:
        signal.signal(_number(), _handle)
    return True


def run(job: Job, schedule: Schedule | None, patience: float) -> None:
    """Call `job` at a safe point, and return when it is done.

    By `schedule` if there is one, else in the main thread. A main thread that does not come by
    within `patience` seconds is in the middle of C code, and the job is done here instead.
    """
    once = _Once(job)
    if schedule is not None:
        schedule(once)
        once.done.wait()
        return
    if signal.getsignal(_number()) is _handle and threading.main_thread().is_alive():
        _waiting.append(once)
        signal.pthread_kill(_main_thread(), _number())
        once.taken.wait(patience)
    once()
    once.done.wait()


def _handle(number: int, frame: FrameType | None) -> None:
    while True:
        try:
            job = _waiting.popleft()
        except IndexError:
            return
        job()


def _main_thread() -> int:
    identifier = threading.main_thread().ident
    assert identifier is not None
    return identifier


def _number() -> int:
    """A real-time signal, which no library claims for itself; the last is glibc's favourite."""
    return signal.SIGRTMAX - 3
