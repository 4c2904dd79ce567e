"""Replace Python objects everywhere they are referenced."""

from __future__ import annotations

try:
    from gcremap import _native
except ImportError as error:
    import platform as _platform

    raise ImportError(
        "gcremap's extension module cannot be loaded in "
        f"{_platform.python_implementation()} {_platform.python_version()}: {error}",
        name="gcremap._native",
    ) from error

__all__ = ["__version__"]
__version__ = "0.1.0"

del _native
