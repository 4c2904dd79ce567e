"""The extension module. Its contents are private: use `gcremap`."""

from collections.abc import Iterable, Mapping

from gcremap._report import RemapReport

def remap(
    mapping: Mapping[object, object] | Iterable[tuple[object, object]],
    /,
    *,
    exclude: Iterable[object] = (),
    weakrefs: bool = True,
    frames: bool = True,
    unsafe: bool = False,
    dry_run: bool = False,
) -> RemapReport: ...
def _referrers(*objects: object) -> list[tuple[object, str | None, int, object, int, object]]: ...

# Doors for the tests.
def _walk(holder: object, /) -> list[tuple[int, int, int, int, int, str | None, int, object]]: ...
def _traverse(holder: object, /) -> list[object]: ...
def _probe(holder: object, /) -> list[int]: ...
def _coverage(holder: object, /) -> int: ...
