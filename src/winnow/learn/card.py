"""What a domain says of its models, for the model card; the figures are added by `workspace.card`. Imports no torch."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


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
    base_model: Callable[[Path], str | None] = lambda _: None
    """the model on the hub that this one was trained from"""
