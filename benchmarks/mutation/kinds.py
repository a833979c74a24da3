"""Mutations that cosmic-ray lacks: the faults that readers planted by hand, and that tests did not see."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator
from parso.python.tree import Name, Number, PythonNode

Place = tuple[tuple[int, int], tuple[int, int]]
MASKS = ("mask", "keep", "kept", "valid", "known", "allowed", "padding")
"""What names of masks hold."""


class _Kind(Operator):
    """`choices` are the changes that are possible at a node, each a function that changes the node in place."""

    def mutation_positions(self, node: Any) -> Iterator[Place]:
        for _ in self.choices(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return list(self.choices(node))[index]()

    @abstractmethod
    def choices(self, node: Any) -> Iterator[Any]: ...

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class SwapArguments(_Kind):
    """`f(a, b)` becomes `f(b, a)`, and `f(x=a, y=b)` becomes `f(x=b, y=a)`: two neighbours change places."""

    def choices(self, node: Any) -> Iterator[Any]:
        if node.type == "arglist" and node.parent.type == "trailer":
            for first, second in zip(node.children[::2], node.children[2::2], strict=False):
                one, other = _value(first), _value(second)
                if one is not None and other is not None and _text(one) != _text(other):
                    yield lambda one=one, other=other: _swapped(node, one, other)


class DropArgument(_Kind):
    """`f(a, x=b)` becomes `f(a)`: a keyword argument is left out, so that its default counts."""

    def choices(self, node: Any) -> Iterator[Any]:
        if node.type == "arglist" and node.parent.type == "trailer":
            for place, each in enumerate(node.children):
                if place > 0 and each.type == "argument" and _text(each.children[1]) == "=":
                    yield lambda place=place: _without(node, place)


class MaskOfOnes(_Kind):
    """`x[mask]` becomes `x[(mask == mask)]`: a mask that lets everything pass."""

    def choices(self, node: Any) -> Iterator[Any]:
        if isinstance(node, Name) and any(part in node.value for part in MASKS) and _is_value(node):
            yield lambda: Name(f"({node.value} == {node.value})", node.start_pos, prefix=node.prefix)


class HalveConstant(_Kind):
    """A number that is neither 0 nor 1 becomes half of it."""

    def choices(self, node: Any) -> Iterator[Any]:
        if isinstance(node, Number):
            value = _number(node.value)
            if value not in (None, 0, 1):
                half = value // 2 if isinstance(value, int) else value / 2
                yield lambda: Number(str(half), node.start_pos, prefix=node.prefix)


class LeaveFilterOut(_Kind):
    """`for x in y if z` and `if z: continue` become filters that let everything pass."""

    def choices(self, node: Any) -> Iterator[Any]:
        if node.type in {"comp_if", "sync_comp_if"}:
            yield lambda: _condition(node, "True")
        elif node.type == "if_stmt" and len(node.children) == 4 and _text(node.children[3]) == "continue":
            yield lambda: _condition(node, "False")


OWN = {kind.__name__: kind for kind in (SwapArguments, DropArgument, MaskOfOnes, HalveConstant, LeaveFilterOut)}


def operator_of(name: str) -> Operator:
    """The mutation of that name: one of these, or one of cosmic-ray's core."""
    operator: Operator = OWN[name]() if name in OWN else get_operator(f"core/{name}")()
    return operator


def _value(argument: Any) -> Any:
    """The value of an argument, of `x=value` what stands after the sign; None for `*values` and generators."""
    if argument.type != "argument":
        return argument
    return argument.children[2] if len(argument.children) == 3 and _text(argument.children[1]) == "=" else None


def _text(node: Any) -> str:
    return str(node.get_code(include_prefix=False)).strip()


def _swapped(node: Any, one: Any, other: Any) -> Any:
    first, second = one.parent.children.index(one), other.parent.children.index(other)
    prefixes = one.get_first_leaf().prefix, other.get_first_leaf().prefix
    holders = one.parent, other.parent
    holders[0].children[first], holders[1].children[second] = other, one
    other.get_first_leaf().prefix, one.get_first_leaf().prefix = prefixes
    one.parent, other.parent = holders[1], holders[0]
    return node


def _without(node: Any, place: int) -> Any:
    del node.children[place - 1 : place + 1]  # with the comma before it
    return node


def _condition(node: Any, value: str) -> PythonNode:
    node.children[1] = Name(value, node.children[1].start_pos, prefix=" ")
    return node


def _is_value(name: Any) -> bool:
    """Whether the name is read: not defined, not called, not that of an attribute, an argument or an import."""
    before, after, parent = name.get_previous_leaf(), name.get_next_leaf(), name.parent
    of_argument = parent.type == "argument" and name is parent.children[0] and _text(after) == "="
    return not (
        name.is_definition()
        or of_argument
        or parent.type in {"param", "dotted_name"}
        or (before is not None and before.value in {".", "def", "class", "import", "for", "lambda", "global"})
        or (after is not None and after.value in {"(", ".", ":="})
    )


def _number(text: str) -> int | float | None:
    try:
        return int(text.replace("_", ""), 10)
    except ValueError:
        try:
            return float(text)
        except ValueError:  # hexadecimal or complex
            return None
