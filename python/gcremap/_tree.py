"""Who holds an object, who holds its holders, and so on: for people who look rather than read."""

from __future__ import annotations

import html
import os
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gcremap import _native
from gcremap._names import _holder_name, _label
from gcremap._slots import RawSlot, Slot, _is_of_frame

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


@dataclass(slots=True)
class _Node:
    """An object in the tree; it is known by what it says only, and not kept alive."""

    label: str
    identity: int = 0
    """The id of the object; 0 where it is its slot that the tree ends with."""
    place: str = ""
    """The slot of it that holds what the node above stands for."""
    holders: list[_Node] = field(default_factory=list)
    more: int = 0
    """Holders that are not shown."""
    again: bool = False
    """It stands in the tree a second time, and its holders at the first."""

    def __str__(self) -> str:
        where = f"{self.place} of {self.label}" if self.place else self.label
        return where + " (shown above)" * self.again


class ReferrerTree:
    """The holders of an object, as `referrer_tree` found them.

    Text on a terminal, nested lists in a notebook; `dot()` is a graph for Graphviz. It
    refers to none of the objects that it speaks of.
    """

    def __init__(self, root: _Node) -> None:
        self._root = root

    def __str__(self) -> str:
        return "\n".join([str(self._root), *_lines(self._root, "")])

    __repr__ = __str__

    def dot(self) -> str:
        """The graph in the language of Graphviz: an arrow from each holder to what it holds."""
        lines = ["digraph referrers {", "  rankdir=RL;", "  node [shape=box, fontname=monospace];"]
        lines += dict.fromkeys(_statements(self._root))
        return "\n".join([*lines, "}\n"])

    def _repr_html_(self) -> str:
        return f"<ul>{_item(self._root)}</ul>"


def referrer_tree(object_: object, /, *, depth: int = 4, width: int = 8) -> ReferrerTree:
    """Find the slots that refer to an object, to the holders of these, and so on.

      depth   how many holders to follow one another; what has a name of its own (a module,
              a class, a function) and the locals of running frames are ends
      width   how many holders of one object to show

    Takes a pass over the heap for each step of depth. Raises ValueError if depth or width
    is less than one.
    """
    if depth < 1 or width < 1:
        raise ValueError(f"depth and width must be at least 1, not {depth} and {width}")
    root = _Node(_label(object_), id(object_))
    seen = {id(object_)}
    objects: list[Any] = [object_]
    nodes = [root]
    for _ in range(depth):
        if not objects:
            break
        objects, nodes = _grow(objects, nodes, seen, width)
    return ReferrerTree(root)


def _grow(
    objects: list[Any], nodes: list[_Node], seen: set[int], width: int
) -> tuple[list[Any], list[_Node]]:
    """Hang the holders of `objects` under their nodes; returns those to go on from, and theirs."""
    found = [raw for raw in _native._referrers(*objects) if not _is_own(raw[0], id(objects))]
    found.sort(key=_rank)
    places = {id(each): node for each, node in zip(objects, nodes, strict=True)}
    next_objects: list[Any] = []
    next_nodes = []
    for raw in found:
        above = places[id(raw[5])]
        if len(above.holders) == width:
            above.more += 1
            continue
        slot = Slot._from_raw(raw)
        holder = slot.holder
        if _holder_name(holder) or slot.path.startswith("<local"):
            above.holders.append(_Node(slot.path))
            continue
        node = _Node(_label(holder), id(holder), slot.path or f"({slot.kind})")
        above.holders.append(node)
        if id(holder) in seen:
            node.again = True
            continue
        seen.add(id(holder))
        next_objects.append(holder)
        next_nodes.append(node)
    return next_objects, next_nodes


def _is_own(holder: object, own: int) -> bool:
    """Whether a holder is only there because of this search."""
    if _is_of_frame(holder):
        return holder[0].co_filename.startswith(_HERE)
    return id(holder) == own


def _rank(raw: RawSlot) -> bool:
    """What has a name comes first: most people ask for just that."""
    holder = raw[0]
    if type(holder) is dict:
        return not isinstance(holder.get("__name__"), str)
    of_frame = raw[1] is not None and raw[1].startswith("<")
    return not (of_frame or issubclass(type(holder), types.ModuleType | types.FunctionType | type))


def _lines(node: _Node, indent: str) -> Iterator[str]:
    texts = [str(holder) for holder in node.holders]
    if node.more:
        texts.append(f"and {node.more:,} more")
    for number, text in enumerate(texts):
        last = number == len(texts) - 1
        yield indent + ("└─ " if last else "├─ ") + text
        if number < len(node.holders):
            yield from _lines(node.holders[number], indent + ("   " if last else "│  "))


def _statements(node: _Node) -> Iterator[str]:
    yield f"  {_identifier(node)} [label={_quoted(node.label)}];"
    for holder in node.holders:
        yield from _statements(holder)
        label = f" [label={_quoted(holder.place)}]" if holder.place else ""
        yield f"  {_identifier(holder)} -> {_identifier(node)}{label};"
    if node.more:
        yield f"  more{node.identity} [label={_quoted(f'{node.more:,} more')}, style=dashed];"
        yield f"  more{node.identity} -> {_identifier(node)} [style=dashed];"


def _identifier(node: _Node) -> str:
    # What has a name is shown by its slots, and each of these is a box.
    return f"object{node.identity}" if node.identity else _quoted(node.label)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _item(node: _Node) -> str:
    inner = "".join(map(_item, node.holders))
    if node.more:
        inner += f"<li>and {node.more:,} more</li>"
    holders = f"<ul>{inner}</ul>" if inner else ""
    return f"<li><code>{html.escape(str(node))}</code>{holders}</li>"
