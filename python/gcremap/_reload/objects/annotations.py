"""Whether annotations are text: a `__future__` import tells, which stands in no class."""

from __future__ import annotations

from typing import Any, ForwardRef

from gcremap._reload.objects.kinds import is_a, namespace_of


def are_text(cls: type) -> dict[str, bool]:
    """Which annotations of a class are text, as far as they are there without being computed."""
    namespace: Any = namespace_of(cls)
    # Those that were set since it was made are elsewhere: Objects/typeobject.c,
    # type_set_annotations (3.14).
    given = {} if "__annotate_func__" in namespace else namespace.get("__annotations_cache__", {})
    found = namespace.get("__annotations__", given)
    return {name: is_a(value, (str, ForwardRef)) for name, value in found.items()}
