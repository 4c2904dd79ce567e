"""What holds for all tests."""

from __future__ import annotations

import pytest

HEAVY = ("test_unchanged.py", "test_oracle.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Last come those that import much: each remap after them searches a larger heap."""
    items.sort(key=lambda item: ("reach" in item.path.parts, item.path.name in HEAVY))
