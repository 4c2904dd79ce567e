#!/usr/bin/env python
"""Change a running world: one function and one settings object, everywhere at once.

Builds a game of some 400,000 objects that refer to both in every way that Python
has, shows what assigning a new function leaves stale, replaces the two with
gcremap.remap, and checks that nothing in the process refers to the old ones.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import os
import queue
import sys
import tempfile
import threading
import time
import types
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import gcremap

ENTITIES = 60_000

COMBAT = """\
class Rules:
    def __init__(self, level):
        self.level = level

RULES = Rules("easy")

def damage(attacker, target):
    return attacker.power - target.armour
"""

# What the author of combat.py changes while the game runs: weak attackers healed.
BUG = "return attacker.power - target.armour"
FIX = "return max(1, attacker.power - target.armour)"

# Two modules that took the names for themselves, as modules do.
UI = "from combat import RULES, damage"
AI = """\
from combat import RULES as rules, damage as hit

def riposte(attacker, target, attack=hit):
    return attack(attacker, target)

class Golem:
    attack = staticmethod(hit)
"""


class Entity:
    def __init__(self, name: str, power: int, armour: int, rules: Any) -> None:
        self.name = name
        self.power = power
        self.armour = armour
        self.rules = rules
        self.inventory = [[f"{name}'s sword", 1], [f"{name}'s potion", 2]]


@dataclass
class Way:
    """One way in which the program holds the function or the settings."""

    label: str
    count: int
    ask: Callable[[], Any]


@dataclass
class World:
    """All that is alive. Nothing here knows that gcremap exists."""

    combat: Any
    ui: Any
    ai: Any
    hero: Entity
    ogre: Entity
    entities: list[Entity]
    on_hit: list[list[Any]] = field(default_factory=list)
    attacks: list[partial[int]] = field(default_factory=list)
    methods: list[types.MethodType] = field(default_factory=list)
    closures: list[Callable[[], int]] = field(default_factory=list)
    skills: list[dict[str, Any]] = field(default_factory=list)
    events: deque[tuple[Any, ...]] = field(default_factory=deque)
    jobs: queue.Queue[tuple[Any, ...]] = field(default_factory=queue.Queue)
    patrols: list[Generator[int, None, None]] = field(default_factory=list)
    rounds: Iterator[int] = field(default_factory=lambda: iter(()))
    bell: queue.Queue[str] = field(default_factory=queue.Queue)
    arena: queue.Queue[int] = field(default_factory=queue.Queue)


def build_world() -> World:
    combat, ui, ai = generated_modules(combat=COMBAT, ui=UI, ai=AI)
    damage, rules = combat.damage, combat.RULES
    hero = Entity("hero", 3, 5, rules)
    ogre = Entity("ogre", 9, 7, rules)
    crowd = [Entity(f"goblin {i}", i % 9, i % 7, rules) for i in range(ENTITIES)]
    world = World(combat, ui, ai, hero, ogre, crowd)
    for i, entity in enumerate(crowd):
        kind = i % 6
        if kind == 0:
            world.on_hit.append([damage, entity])
        elif kind == 1:
            world.attacks.append(partial(damage, hero))
        elif kind == 2:
            world.methods.append(types.MethodType(damage, hero))
        elif kind == 3:
            world.closures.append(closure(damage, hero, ogre))
        elif kind == 4:
            world.skills.append({"melee": damage, "owner": entity})
        else:
            world.events.append((i, damage, entity))
    for entity in crowd[:1_000]:
        world.jobs.put((damage, entity))
        world.patrols.append(patrol(damage, hero, ogre))
        next(world.patrols[-1])
    world.rounds = map(damage, itertools.repeat(hero), itertools.repeat(ogre))
    fighter = threading.Thread(target=fight, args=(world, damage), daemon=True)
    fighter.start()
    ask_fighter(world)
    return world


def generated_modules(**sources: str) -> list[types.ModuleType]:
    with tempfile.TemporaryDirectory() as folder:
        for name, source in sources.items():
            Path(folder, f"{name}.py").write_text(source)
        sys.path.insert(0, folder)
        try:
            return [importlib.import_module(name) for name in sources]
        finally:
            sys.path.remove(folder)


def closure(damage: Any, hero: Entity, ogre: Entity) -> Callable[[], int]:
    return lambda: damage(hero, ogre)


def patrol(attack: Any, hero: Entity, ogre: Entity) -> Generator[int, None, None]:
    """Suspended at its yield, with the function in a local."""
    while True:
        yield attack(hero, ogre)


def fight(world: World, attack: Any) -> None:
    """A thread that runs all the while, with the function in a local of its frame."""
    while world.bell.get() == "round":
        world.arena.put(attack(world.hero, world.ogre))


def ask_fighter(world: World) -> int:
    world.bell.put("round")
    return world.arena.get()


def ways_to_damage(w: World) -> list[Way]:
    us = (w.hero, w.ogre)
    return [
        Way("combat.damage", 1, lambda: w.combat.damage(*us)),
        Way("from combat import damage", 1, lambda: w.ui.damage(*us)),
        Way("from combat import damage as hit", 1, lambda: w.ai.hit(*us)),
        Way("def riposte(…, attack=hit)", 1, lambda: w.ai.riposte(*us)),
        Way("class Golem: attack = staticmethod(hit)", 1, lambda: w.ai.Golem.attack(*us)),
        Way("callbacks in lists", len(w.on_hit), lambda: w.on_hit[-1][0](*us)),
        Way("partial(damage, hero)", len(w.attacks), lambda: w.attacks[-1](w.ogre)),
        Way("bound methods", len(w.methods), lambda: w.methods[-1](w.ogre)),
        Way("closures", len(w.closures), lambda: w.closures[-1]()),
        Way("values of dicts", len(w.skills), lambda: w.skills[-1]["melee"](*us)),
        Way("tuples in a deque", len(w.events), lambda: w.events[-1][1](*us)),
        Way("tuples in a queue.Queue", w.jobs.qsize(), lambda: w.jobs.queue[-1][0](*us)),
        Way("suspended generators", len(w.patrols), lambda: next(w.patrols[-1])),
        Way("map(damage, …), half consumed", 1, lambda: next(w.rounds)),
        Way("a local of another thread's frame", 1, lambda: ask_fighter(w)),
    ]


def ways_to_rules(w: World) -> list[Way]:
    return [
        Way("combat.RULES", 1, lambda: w.combat.RULES.level),
        Way("from combat import RULES", 1, lambda: w.ui.RULES.level),
        Way("from combat import RULES as rules", 1, lambda: w.ai.rules.level),
        Way("attributes: entity.rules", len(w.entities) + 2, lambda: w.entities[-1].rules.level),
    ]


# ---- Saying it ----------------------------------------------------------------

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


bold, dim, red, green = (partial(paint, code) for code in ("1", "2", "31", "32"))


def heading(number: int, text: str) -> None:
    print(f"\n{paint('1;36', f'{number}  {text}')}")


def ask(ways: list[Way]) -> list[Any]:
    return [way.ask() for way in ways]


def table(ways: list[Way], columns: dict[str, list[Any]], fresh: Any) -> None:
    """A line for each way in, a column for each moment: what came back then."""
    for row, way in enumerate(ways):
        cells = [column[row] for column in columns.values()]
        painted = [(green if cell == fresh else red)(f"{cell!s:>10}") for cell in cells]
        print(f"   {way.label:<40}{dim(f'{way.count:>10,}')}{''.join(painted)}")


def share(ways: list[Way], answers: list[Any], fresh: Any) -> tuple[int, int]:
    """References that give what is fresh, of how many."""
    good = sum(way.count for way, answer in zip(ways, answers, strict=True) if answer == fresh)
    return good, sum(way.count for way in ways)


def check(fact: str, holds: bool) -> bool:
    print(f"   {green('✓') if holds else red('✗')} {fact}")
    return holds


def references(holder: list[Any], index: int) -> tuple[list[Any], int]:
    """What refers to holder[index] besides holder: as the collector sees it, and by count."""
    alone = [object()]
    spare = sys.getrefcount(holder[index]) - sys.getrefcount(alone[0])
    seen = [ref for ref in gc.get_referrers(holder[index]) if ref is not holder]
    return seen, spare


def main() -> int:
    heading(1, "A world, running")
    started = time.perf_counter()
    world = build_world()
    gc.collect()
    objects = len(gc.get_objects())
    print(
        f"   {len(world.entities):,} entities, {objects:,} tracked objects, "
        f"{threading.active_count()} threads ({time.perf_counter() - started:.1f} s to build)"
    )
    print(
        f"   The hero hits the ogre for {red(str(world.combat.damage(world.hero, world.ogre)))}: "
        "a weak attacker heals. All runs at level "
        f"{world.combat.RULES.level!r}."
    )
    print(f"     {red('-     ' + BUG)}")
    print(f"     {green('+     ' + FIX)}")

    fixed: dict[str, Any] = {"__name__": "combat"}
    exec(compile(COMBAT.replace(BUG, FIX), "combat.py", "exec"), fixed)
    # The one place that is to keep the originals: for the checks at the end.
    originals = [world.combat.damage, world.combat.RULES]

    ways, rule_ways = ways_to_damage(world), ways_to_rules(world)
    columns = {"before": ask(ways)}
    rule_columns = {"before": ask(rule_ways)}

    heading(2, "Plain assignment")
    new_rules = world.combat.Rules("hard")
    world.combat.damage, world.combat.RULES = fixed["damage"], new_rules
    print(f"   {bold('combat.damage, combat.RULES = new_damage, new_rules')}")
    columns["assigned"], rule_columns["assigned"] = ask(ways), ask(rule_ways)
    world.combat.damage, world.combat.RULES = originals
    good, total = share(ways, columns["assigned"], 1)
    print(f"   {red(f'{total - good:,} of {total:,} references to damage still run the bug.')}")

    heading(3, "gcremap")
    print(f"   {bold('gcremap.remap({damage: new_damage, RULES: new_rules})')}\n")
    report = gcremap.remap(
        {originals[0]: fixed["damage"], originals[1]: new_rules}, exclude=[originals]
    )
    for line in repr(report).splitlines():
        print(f"   {line}")
    leftovers = sum(count for _, count in report.leftovers)
    pinned = report.pinned
    # A report can undo, so it holds the originals; without it nothing should.
    del report
    columns["remapped"], rule_columns["remapped"] = ask(ways), ask(rule_ways)

    heading(4, "What each of them gives when it is used")
    print(dim(f"   {'way in':<40}{'references':>10}{''.join(f'{name:>10}' for name in columns)}"))
    table(ways, columns, fresh=1)
    table(rule_ways, rule_columns, fresh="hard")
    print()
    good, total = share(ways, columns["remapped"], 1)
    ok = check(f"{good:,} of {total:,} references to damage run the fix", good == total)
    good, total = share(rule_ways, rule_columns["remapped"], "hard")
    ok &= check(f"{good:,} of {total:,} references to RULES see the new rules", good == total)
    for index, name in enumerate(("damage", "RULES")):
        seen, spare = references(originals, index)
        ok &= check(f"gc.get_referrers(old {name}) finds {len(seen)}", not seen)
        ok &= check(
            f"old {name}'s reference count explains {spare} more ({pinned} pinned for C code)",
            spare <= pinned,
        )
    ok &= check(f"{leftovers} leftovers in the report", leftovers == 0)
    world.bell.put("over")
    print()
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
