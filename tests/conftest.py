"""What holds for all tests."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The oracle last: it imports the whole standard library, and each remap after it
    would search a heap of twice the size."""
    items.sort(key=lambda item: item.path.name == "test_oracle.py")
