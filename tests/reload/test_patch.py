"""Hotfixes: one function or value, everywhere it is referred to, and back again."""

from __future__ import annotations

from typing import Any

import pytest

import gcremap

PLAYER = """
    class Player:
        health = 100
        def fire(self, target):
            target.health -= 1
            return "old"
        @staticmethod
        def roll(): return 1
        @property
        def alive(self): return True
    LIMIT = 10
    def helper(): return "old"
    class Weapon:
        damage = 1
"""


def test_method_copied_elsewhere(project: Any) -> None:
    player = project.load(
        player=PLAYER, attack="import player\nfire = player.Player.fire\nT = {'f': fire}\n"
    )
    import attack  # type: ignore[import-not-found]

    p = player.Player()
    bound, original = p.fire, player.Player.fire

    def fire(self: Any, target: Any, extra: int = 5) -> Any:
        target.health -= 50
        return ("new", extra)

    patched = gcremap.patch("player:Player.fire", fire)
    assert p.fire(p) == attack.fire(p, p) == attack.T["f"](p, p) == bound(p) == ("new", 5)
    assert player.Player.fire is original
    assert player.Player.fire.__qualname__ == "Player.fire"
    assert p.health == 100 - 4 * 50
    assert fire(p, p) == ("new", 5)
    patched.undo()
    assert attack.fire(p, p) == bound(p) == "old"
    patched.undo()
    assert attack.fire(p, p) == "old"


def test_closures_static_methods_and_properties(project: Any) -> None:
    player = project.load(player=PLAYER)
    number = 7
    with gcremap.patch("player:Player.roll", lambda: number):
        assert player.Player.roll() == player.Player().roll() == 7
    assert player.Player.roll() == 1
    with gcremap.patch("player:Player.alive", lambda self: number):
        assert player.Player().alive == 7
    assert player.Player().alive is True


def test_data_and_classes(project: Any) -> None:
    player = project.load(player=PLAYER, a="from player import LIMIT, Weapon, helper\n")
    import a  # type: ignore[import-not-found]

    class Better:
        damage = 9

    weapon = player.Weapon()
    with gcremap.patch("player:LIMIT", 20), gcremap.patch("player:Weapon", Better):
        assert (player.LIMIT, a.LIMIT) == (20, 20)
        assert a.Weapon is player.Weapon is Better
        assert weapon.damage == 9
    assert (player.LIMIT, a.LIMIT) == (10, 10)
    assert a.Weapon is player.Weapon is not Better
    assert weapon.damage == 1
    with gcremap.patch("player:Player.health", 5):
        assert player.Player().health == 5
    assert player.Player().health == 100


def test_refused_patch_changes_nothing(project: Any) -> None:
    player = project.load(player=PLAYER)
    original = player.Weapon
    weapon = player.Weapon()
    with pytest.raises(gcremap.RemapError):
        gcremap.patch("player:Weapon", 5)
    assert player.Weapon is original
    assert weapon.damage == 1


@pytest.mark.parametrize("target", ["player", "player:", "Player.fire"])
def test_what_is_no_target(target: str) -> None:
    with pytest.raises(ValueError, match="module:name"):
        gcremap.patch(target, print)


def test_what_does_not_exist(project: Any) -> None:
    project.load(player=PLAYER)
    with pytest.raises(AttributeError, match="nothing"):
        gcremap.patch("player:nothing", 1)
