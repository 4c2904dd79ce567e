"""The doors: reload one module, all that changed, or by a policy."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import ModuleType, TracebackType
from typing import Any

from gcremap import _native
from gcremap._reload.matching.state import State
from gcremap._reload.objects import garbage
from gcremap._reload.objects.kinds import is_a
from gcremap._reload.report import ReloadReport
from gcremap._reload.running.script import Script
from gcremap._reload.running.stage import Identity
from gcremap._reload.running.transaction import Transaction
from gcremap._reload.sources import record, source

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_POLICIES = ("keep", "keep-unchanged", "replace")


def reload(
    module: ModuleType, *, identity: Identity = "keep", state: State = "keep-unchanged"
) -> ModuleType:
    """Run the source of `module` anew and leave nothing of the old one behind.

    A drop-in for importlib.reload: functions, classes and their instances, wherever they are
    referred to, are those of the new source, and the state that the source does not redefine
    stays. On any error everything is as it was, and the error is raised.

      identity   "keep": old functions and classes take over the content of the new ones,
                 wherever they can; "replace": every reference to them is redirected
      state      "keep-unchanged": values whose defining statements did not change stay;
                 "replace": all values are taken from the new source
    """
    with Trimmed():
        _run([_checked(module)], identity, state)
    return sys.modules.get(module.__name__, module)


def reload_all(modules: Iterable[ModuleType] | None = None) -> list[ReloadReport]:
    """Reload `modules`, or all whose source changed on disk, in one transaction.

    What is imported is reloaded before what imports it. If any fails, all stay as they were.
    """
    chosen = changed_modules() if modules is None else [_checked(each) for each in modules]
    with Trimmed():
        return _run(chosen, "keep", "keep-unchanged")


def changed_modules() -> list[ModuleType]:
    """The modules whose source is not any more what they were loaded from."""
    return [
        module
        for module in list(sys.modules.values())
        if is_a(module, ModuleType) and not _is_own(module) and source.is_stale(module)
    ]


class Reloader:
    """Reloads the modules under its control by a policy.

    modules    names of modules and packages, with all that is in them; None for all
    exclude    names of those that are left alone all the same
    identity   as for `reload`
    state      as for `reload`
    policies   by "module" or "module:name": "keep", "replace" or "keep-unchanged"
    before     called with the list of modules; an exception cancels the reload
    after      called with the list of reports
    failed     called with the exception before it is raised
    """

    def __init__(
        self,
        modules: Iterable[ModuleType | str] | None = None,
        *,
        exclude: Iterable[ModuleType | str] = (),
        identity: Identity = "keep",
        state: State = "keep-unchanged",
        policies: Mapping[str, str] | None = None,
        before: Callable[[list[ModuleType]], object] | None = None,
        after: Callable[[list[ReloadReport]], object] | None = None,
        failed: Callable[[BaseException], object] | None = None,
    ) -> None:
        self.modules = None if modules is None else tuple(map(_name, modules))
        self.exclude = tuple(map(_name, exclude))
        self.identity = identity
        self.state = state
        self.policies = dict(policies or {})
        self.before = before
        self.after = after
        self.failed = failed
        self.reports: list[ReloadReport] = []
        """Those of the last reload."""
        _check(identity, state)
        for key, policy in self.policies.items():
            if policy not in _POLICIES:
                raise ValueError(
                    f"the policy of {key!r} must be one of {_POLICIES}, not {policy!r}"
                )

    def controls(self, module: ModuleType | str) -> bool:
        """Whether a module is under the control of this reloader."""
        name = _name(module)
        if _is_within(name, self.exclude):
            return False
        return self.modules is None or _is_within(name, self.modules)

    def changed(self) -> list[ModuleType]:
        """The modules under control whose source is not what they were loaded from."""
        return [module for module in changed_modules() if self.controls(module)]

    def reload(self, *modules: ModuleType | str) -> list[ReloadReport]:
        """Reload these modules, or all under control whose source changed, in one transaction."""
        chosen = [_checked(_imported(m) if isinstance(m, str) else m) for m in modules]
        for module in chosen:
            if not self.controls(module):
                raise ValueError(f"{module.__name__} is not under the control of this reloader")
        if not modules:
            chosen = self.changed()
        try:
            with Trimmed():
                if self.before is not None and chosen:
                    self.before(chosen)
                self.reports = _run(chosen, self.identity, self.state, self.policies)
                if self.after is not None and chosen:
                    self.after(self.reports)
        except BaseException as error:
            if self.failed is not None:
                self.failed(error)
            raise
        return self.reports


def exec_file(path: str | os.PathLike[str], namespace: dict[str, Any] | ModuleType) -> None:
    """Run the file at `path` in `namespace`, a dict or a module.

    Run again after an edit, it does what `reload` does for a module: definitions are updated
    wherever they are referred to, state stays, names gone from the file go. Several files
    may run in one namespace. On any error the namespace is as it was.
    """
    path = os.path.abspath(path)
    target = vars(namespace) if isinstance(namespace, ModuleType) else namespace
    target.setdefault("__name__", os.path.splitext(os.path.basename(path))[0])
    with Trimmed():
        _transact(Transaction([Script(path, target)]))


class Trimmed:
    """An exception passes without the frames of this package: the user's own come first."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while traceback is not None and _is_ours(traceback):
            with suppress(RuntimeError):  # it is running
                # By their f_back the frames of the user would keep what it held.
                traceback.tb_frame.clear()
            traceback = traceback.tb_next
        if error is not None and traceback is not None:
            error.__traceback__ = traceback


def _is_ours(traceback: TracebackType) -> bool:
    name = traceback.tb_frame.f_code.co_filename
    return name.startswith((_HERE, "<frozen importlib"))


def _name(module: ModuleType | str) -> str:
    return module if isinstance(module, str) else record.module_name(module)


def _is_within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == each or name.startswith(each + ".") for each in packages)


def _is_own(module: ModuleType) -> bool:
    return _is_within(module.__name__, ("gcremap",))


def _imported(name: str) -> Any:
    if name not in sys.modules:
        raise ImportError(f"module {name} is not in sys.modules: import it first", name=name)
    return sys.modules[name]


def _checked(module: Any) -> ModuleType:
    if not isinstance(module, ModuleType):
        raise TypeError(f"only a module can be reloaded, not {type(module).__name__}")
    if _is_own(module):
        raise ValueError("gcremap cannot reload itself: it is running")
    return module


def _check(identity: object, state: object) -> None:
    if identity not in ("keep", "replace"):
        raise ValueError(f"identity must be 'keep' or 'replace', not {identity!r}")
    if state not in ("keep-unchanged", "replace"):
        raise ValueError(f"state must be 'keep-unchanged' or 'replace', not {state!r}")


def _run(
    modules: Iterable[ModuleType],
    identity: Identity,
    state: State,
    policies: Mapping[str, str] | None = None,
) -> list[ReloadReport]:
    _check(identity, state)
    chosen = list(dict.fromkeys(modules))
    if not chosen:
        return []
    return _transact(Transaction(chosen, identity=identity, state=state, policies=policies or {}))


def _transact(transaction: Transaction) -> list[ReloadReport]:
    """Run it, and free what it leaves without a holder, after a failure too."""
    collects = gc.isenabled()
    try:
        with Trimmed():  # the frames that were there hold what has failed
            # In a frame of the C stack of its own: what it leaves there, or what was left in its
            # callers' frames before, does not look as if some caller used what goes.
            return _native._enclosed(transaction.run)
    finally:
        garbage.collect()
        if collects:
            gc.enable()
