"""Figures before and after a change, as PNG files for the report: training curves and the plot stage's pictures."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import vl_convert

from winnow.compare.markdown import plain, table
from winnow.compare.revisions import Revision
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import atomic_path

FOLDER = "figures"


def write_figures(domain: str, before: Revision, after: Revision, folder: Path) -> Iterator[str]:
    """Write the domain's figures that changed to `folder/figures/<domain>/`; gives the Markdown that shows them.

    The Markdown's paths are relative to `folder`. In place of curves that DVC cannot plot there is a note.
    """
    if curves_changed(domain, before, after):
        for title in curve_titles(domain, after):
            path = f"{FOLDER}/{domain}/curves-{re.sub(r'[^a-z0-9]+', '-', title.lower())}.png"
            try:
                picture = curve(title, before, after)
            except WinnowError as error:  # the rest of the report does not need it
                yield f"_{plain(error.what)}_"
                continue
            if picture is not None:
                _write(folder / path, picture)
                yield f"![{plain(title)}, both revisions]({path})"
    first, second = (each.pictures(f"data/{domain}/plot") for each in (before, after))
    for name in sorted(second):
        if name in first and first[name] != second[name]:
            paths = []
            for side, pictures in (("before", first), ("after", second)):
                paths.append(f"{FOLDER}/{domain}/{Path(name).stem}-{side}.png")
                _write(folder / paths[-1], pictures[name])
            yield f"{plain(name)}\n\n" + table(["before", "after"], [[f"![]({path})" for path in paths]])


def curves_changed(domain: str, before: Revision, after: Revision) -> bool:
    """Whether the two revisions hold curves of other trainings."""
    first, second = (each.json(f"metrics/{domain}/train/metrics.json") for each in (before, after))
    return bool(first) and bool(second) and first != second


def curve_titles(domain: str, revision: Revision) -> list[str]:
    """The names of the plots in dvc.yaml that are drawn from the domain's curves.

    A plot is a path, or a name with its settings, of which `y` may name files; without, the name is the file's path.
    """
    found = []
    for entry in revision.yaml("dvc.yaml").get("plots", []):
        named = {entry: None} if isinstance(entry, str) else entry
        for title, settings in named.items():
            y = (settings or {}).get("y")
            paths = list(y) if isinstance(y, Mapping) else [title]
            if all(path.startswith(f"metrics/{domain}/") for path in paths):
                found.append(title)
    return found


def curve(title: str, before: Revision, after: Revision) -> bytes | None:
    """The plot of that name with both revisions' curves, drawn by DVC's template without a browser or Node.

    None when DVC has nothing to draw. Raises WinnowError when DVC or the renderer fails.
    """
    revisions = [each.name for each in (before, after) if each.name is not None]
    command = [sys.executable, "-m", "dvc", "plots", "diff", *revisions, "--targets", title, "--show-vega"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise WinnowError(f"DVC cannot plot `{title}`: {done.stderr.strip()}", fix=" ".join(command[1:]))
    if not done.stdout.strip():
        return None
    try:
        picture: bytes = vl_convert.vegalite_to_png(json.loads(done.stdout), scale=1.5)
    except ValueError as error:
        raise WinnowError(f"`{title}` cannot be drawn: {error}") from None
    return picture


def _write(target: Path, picture: bytes) -> None:
    with atomic_path(target) as scratch:
        scratch.write_bytes(picture)
