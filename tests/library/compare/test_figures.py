"""The pictures of a report: which are written, and that they show both revisions."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.library.compare.test_differences import Write, git, routes, write  # noqa: F401 - a fixture
from winnow.compare.figures import write_figures
from winnow.compare.report import write_report
from winnow.compare.revisions import Revision

CURVE = "metrics/climb/train/plots/metrics/val/loss.tsv"
OTHER = "metrics/retina/train/plots/metrics/val/loss.tsv"
PLOTS = [
    {"climb loss": {"x": "step", "y": {CURVE: "loss"}}},
    {"retina loss": {"x": "step", "y": {OTHER: "loss"}}},
]


def state(write: Write, losses: list[float], shade: int, model: str) -> None:  # noqa: F811
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
def trained_again(write: Write) -> tuple[Revision, Revision]:  # noqa: F811
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


def drawn(path: Path) -> set[tuple[int, ...]]:
    """The saturated colours that cover at least 30 pixels: those of lines."""
    pixels = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("RGB")).reshape(-1, 3)
    values, counts = np.unique(pixels, axis=0, return_counts=True)
    return {tuple(map(int, value)) for value in values[(counts >= 30) & (np.ptp(values, axis=1) > 60)]}
