"""Functions that no name of the module leads to: overloads in a registry, lambdas, closures."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterable
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from gcremap._reload import codes
from gcremap._reload.match import Matcher, Site

if TYPE_CHECKING:
    from gcremap._reload.transaction import Job


def match_unbound(jobs: Iterable[Job], matcher: Matcher) -> None:
    """Find every living function of the modules by its globals.

    Where one old function and one new one have matching code they are a pair. The others
    that run old code (closures made many times) get their new code one by one.
    """
    for job in jobs:
        namespace = vars(job.module)
        fresh = _identities(job.ran)
        olds: dict[CodeType, list[FunctionType]] = defaultdict(list)
        news: dict[int, list[FunctionType]] = defaultdict(list)
        for function in gc.get_referrers(namespace):
            if not isinstance(function, FunctionType) or function.__globals__ is not namespace:
                continue
            if id(function.__code__) in fresh:
                if id(function) not in matcher.by_new:
                    news[id(function.__code__)].append(function)
            elif id(function) not in matcher.by_old:
                olds[function.__code__].append(function)
        for code, functions in olds.items():
            became = matcher.code_map.get(code)
            if became is None:
                continue
            twins = news.get(id(became), [])
            if len(functions) == len(twins) == 1:
                site = Site(became.co_qualname, job.name)
                matcher.match(functions[0], twins[0], site)
            elif code != became or code.co_filename != became.co_filename:
                matcher.orphans += [(function, became) for function in functions]


def _identities(code: CodeType | None) -> set[int]:
    return {id(each) for each in codes.tree(code)} if code is not None else set()
