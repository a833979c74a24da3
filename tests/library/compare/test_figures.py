"""The pictures of a report: which are written, and that they show both revisions."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vl_convert
import yaml
from PIL import Image

from tests.library.compare.conftest import Write, git, routes
from winnow.compare import figures
from winnow.compare.figures import curve_titles, write_figures
from winnow.compare.report import write_report
from winnow.compare.revisions import Revision

CURVE = "metrics/climb/train/plots/metrics/val/loss.tsv"
OTHER = "metrics/retina/train/plots/metrics/val/loss.tsv"
PLOTS: list[Any] = [
    {"climb loss": {"x": "step", "y": {CURVE: "loss"}}},
    {"retina loss": {"x": "step", "y": {OTHER: "loss"}}},
    {"retina alone": None},
    str(Path(OTHER).parent),
]


def state(write: Write, losses: list[float], shade: int, model: str) -> None:
    """Commit a training's curve and two pictures, of which one is always the same."""
    for folder in (Path(CURVE).parent, Path(OTHER).parent):
        folder.mkdir(parents=True, exist_ok=True)
    Path("data/climb/plot").mkdir(parents=True, exist_ok=True)
    Path("dvc.yaml").write_text(yaml.safe_dump({"plots": PLOTS}))
    rows = "".join(f"{step}\t{loss}\n" for step, loss in enumerate(losses, start=1))
    for curve in (CURVE, OTHER):
        Path(curve).write_text(f"step\tloss\n{rows}")
    Path("metrics/climb/train/metrics.json").write_text(json.dumps({"loss": losses[-1]}))
    for name, value in {"grades.png": shade, "same.png": 0}.items():
        Image.new("L", (8, 8), value).save(Path("data/climb/plot", name))
    write(routes(losses[-1], seed=1), losses[-1], model)


@pytest.fixture
def trained_again(write: Write) -> tuple[Revision, Revision]:
    state(write, [3.0, 2.0], 10, "one")
    state(write, [3.0, 2.5, 1.5], 200, "two")
    return Revision("HEAD~1"), Revision("HEAD")


def test_figures_that_changed_are_written_from_both_revisions(
    trained_again: tuple[Revision, Revision], tmp_path: Path
) -> None:
    text = write_report(*trained_again, None, tmp_path / "report")
    written = sorted(str(path.relative_to(tmp_path / "report")) for path in (tmp_path / "report").rglob("*.png"))
    curves, *pictures = [f"figures/climb/{name}.png" for name in ("curves-climb-loss", "grades-after", "grades-before")]
    assert written == [curves, *pictures]
    assert all(f"]({path})" in text for path in written)
    shades = [Image.open(tmp_path / "report" / path).getpixel((0, 0)) for path in pictures]
    assert shades == [200, 10]
    assert "figures" not in write_report(*trained_again, None)


def test_a_curve_shows_both_trainings(trained_again: tuple[Revision, Revision], tmp_path: Path) -> None:
    before, after = trained_again
    list(write_figures("climb", before, after, tmp_path / "both"))
    git("commit", "-q", "--allow-empty", "-m", "nothing")
    assert list(write_figures("climb", after, Revision("HEAD"), tmp_path / "none")) == []
    colours = drawn(tmp_path / "both/figures/climb/curves-climb-loss.png")
    assert len(colours) >= 2, "one line for each revision"


def test_curves_are_drawn_by_the_names_that_they_have_in_the_later_revision(
    trained_again: tuple[Revision, Revision], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = Path("dvc.yaml")
    graph.write_text(graph.read_text().replace("climb loss", "climb validation"))
    git("commit", "-q", "-a", "--amend", "--no-edit")
    drawn: list[tuple[str, str | None, str | None]] = []
    monkeypatch.setattr(figures, "curve", lambda title, *pair: drawn.append((title, *(each.name for each in pair))))
    list(write_figures("climb", Revision("HEAD~1"), Revision("HEAD"), tmp_path))
    assert drawn == [("climb validation", "HEAD~1", "HEAD")]


@pytest.mark.parametrize("broken", ["DVC", "the renderer"])
def test_a_curve_that_cannot_be_drawn_is_told_in_its_place(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    state(write, [3.0, 2.0], 10, "one")
    state(write, [3.0, 1.5], 200, "two")
    if broken == "DVC":
        monkeypatch.setitem(PLOTS[0]["climb loss"], "template", "nowhere")
        Path("dvc.yaml").write_text(yaml.safe_dump({"plots": PLOTS}))
        git("commit", "-qam", "another template")
    else:
        monkeypatch.setattr(vl_convert, "vegalite_to_png", lambda *_, **__: json.loads("no specification"))
    revisions = Revision("HEAD~2" if broken == "DVC" else "HEAD~1"), Revision("HEAD")
    text = write_report(*revisions, None, tmp_path / "report")
    assert ("_DVC cannot plot " if broken == "DVC" else " cannot be drawn") in text
    assert len(re.findall("climb loss", text)) == 1
    assert "figures/climb/grades-after.png" in text
    assert not (tmp_path / "report/figures/climb/curves-climb-loss.png").exists()


def test_a_plot_may_be_a_path_alone(write: Write) -> None:
    state(write, [3.0, 2.0], 10, "one")
    assert curve_titles("climb", Revision("HEAD")) == ["climb loss"]
    assert curve_titles("retina", Revision("HEAD")) == ["retina loss", str(Path(OTHER).parent)]


def drawn(path: Path) -> set[tuple[int, ...]]:
    """The saturated colours that cover at least 30 pixels: those of lines."""
    pixels = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("RGB")).reshape(-1, 3)
    values, counts = np.unique(pixels, axis=0, return_counts=True)
    return {tuple(map(int, value)) for value in values[(counts >= 30) & (np.ptp(values, axis=1) > 60)]}
