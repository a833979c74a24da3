"""What a domain says of its models, for the model card; the figures are added by `workspace.card`. Imports no torch."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

PLAIN = re.compile(r"[\w.' -]{1,60}( – [\w.' -]{1,60})?")
"""A name that stands in a command and in Markdown as it is, but for a quote."""


def plain_names(names: Iterable[str]) -> list[str]:
    """The first two different names that a command can hold; nothing when there are not two."""
    found = list(dict.fromkeys(name for name in names if PLAIN.fullmatch(name) and "'" not in name))[:2]
    return found if len(found) == 2 else []


def nothing(_: Path) -> list[str]:
    """No sentence about a model's folder."""
    return []


@dataclass(frozen=True)
class Description:
    """A domain's part of a model card, in Markdown."""

    title: str
    task: str
    """one sentence: what goes in and what comes out"""
    use: str
    """what the model is meant for"""
    limits: tuple[str, ...]
    """what it is not meant for, and where it is weak"""
    row: str
    """what a row of the data is, in the plural"""
    synthetic: str
    """what the embedded data are"""
    tags: tuple[str, ...] = ()
    pipeline: str | None = None
    """the task by which the hub lists the model, of huggingface.co/tasks"""
    about: Callable[[Path], list[str]] = nothing
    """sentences about a model's folder, such as its base network"""
    known: Callable[[Path], list[str]] = nothing
    """names that a model's folder knows, to put into the example command in place of its words in capitals"""
    sent: str = ""
    """what the file of the example command holds, where it takes one"""
    base_model: Callable[[Path], str | None] = lambda _: None
    """the model on the hub that this one was trained from"""
