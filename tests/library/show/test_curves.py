"""Training curves: what is read, and which line is which metric's."""

from pathlib import Path

import pytest

from winnow.pipeline.errors import TableError
from winnow.show.curves import curve_figure, read_curves

LABELS = {"train/loss": "training", "val/loss": "validation", "val/mae": "not recorded"}


def write_curves(folder: Path) -> None:
    for name, rows in {"train/loss": "2\t0.5\n1\t0.9\n", "val/loss": "1\t1.0\n2\t0.8\n"}.items():
        file = folder / f"{name}.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"step\tloss\n{rows}")


def test_each_line_has_the_label_of_its_metric_and_its_points_in_order(tmp_path: Path) -> None:
    write_curves(tmp_path)
    figure = curve_figure(read_curves(tmp_path), LABELS, title="loss", ylabel="nats")
    (axes,) = figure.axes
    lines = {line.get_label(): list(zip(*line.get_data(), strict=True)) for line in axes.get_lines()}
    assert lines == {"training": [(1, 0.9), (2, 0.5)], "validation": [(1, 1.0), (2, 0.8)]}
    assert len({line.get_color() for line in axes.get_lines()}) == 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(lines)
    assert (axes.get_title(), axes.get_ylabel()) == ("loss", "nats")


def test_a_share_is_drawn_from_0_to_1(tmp_path: Path) -> None:
    write_curves(tmp_path)
    (axes,) = curve_figure(read_curves(tmp_path), LABELS, title="", ylabel="", share=True).axes
    assert axes.get_ylim() == (0, 1.02)


def test_no_curve_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="holds no training curves"):
        read_curves(tmp_path)
