"""What the charts of recommenders show."""

import numpy as np
import pandas as pd
import pytest

from tests.library.show.charted import dots
from winnow.recommend.charts import MEANING, popularity_bias, recall_by_group, recall_chart

NAMES = ("ease", "model", "truth")


def ranked() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {"recommender": name, "kind": "ab"[user % 2], "recall_at_5": rng.random() / 2, "recall_at_10": rng.random()}
        for name in NAMES
        for user in range(20)
    ]
    return pd.DataFrame(rows)


def test_every_recommender_has_a_line_the_best_at_the_top_and_those_that_are_no_baselines_are_explained() -> None:
    (axes,) = recall_chart({"Users": ranked(), "None": ranked().iloc[:0]}, (5, 10), "users").axes
    assert axes.get_title() == "Users (n = 20 users)"
    means = ranked().groupby("recommender")[["recall_at_5", "recall_at_10"]].mean()
    names = {"ease": "ease"} | {name: MEANING[name] for name in ("model", "truth")}
    found = dots(axes)
    for name, shown in names.items():
        for k in (5, 10):
            assert found[shown, f"K = {k}"][0] == pytest.approx(means.loc[name, f"recall_at_{k}"])
    order = means["recall_at_5"].sort_values(ascending=False).index
    assert [text.get_text() for text in axes.get_yticklabels()] == [names[name] for name in order]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # from the top


def test_shares_of_places_are_written_in_their_cells() -> None:
    rows = [
        {"recommender": name, "decile": decile, "share": 0.0 if decile < 3 else 0.0004 if decile == 3 else 0.14}
        for name in NAMES
        for decile in range(1, 11)
    ]
    (axes,) = popularity_bias(pd.DataFrame(rows), "songs", "users", 10).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [MEANING["model"], "ease", MEANING["truth"]]
    cells = {tuple(map(int, text.get_position())): text.get_text() for text in axes.texts}
    assert [cells[column, 0] for column in range(10)] == ["–", "–", "<.1%", *["14%"] * 7]


def test_intervals_are_named_and_are_those_of_the_mean() -> None:
    table = ranked()[lambda rows: rows["recommender"] != "truth"]
    (axes,) = recall_by_group(table, {"kind": ("kind", ["a", "b"])}, "playlists", 10).axes
    assert "95% interval" in axes.get_ylabel()
    count = (table["recommender"] == "model").sum() // 2
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [f"{kind}\n{count} playlists" for kind in "ab"]
    own = table[(table["recommender"] == "model") & (table["kind"] == "a")]["recall_at_10"]
    (bars, *_) = axes.containers[1::2]
    assert bars.patches[0].get_height() == pytest.approx(own.mean())
    (segments,) = [c.errorbar.lines[2][0].get_segments() for c in [bars]]
    assert segments[0][:, 1] == pytest.approx([own.mean() - 1.96 * own.sem(), own.mean() + 1.96 * own.sem()])


def test_the_model_is_beside_the_best_baseline() -> None:
    table = ranked().assign(recall_at_10=ranked()["recommender"].map({"ease": 0.2, "model": 0.4, "truth": 0.3}))
    table = table.replace({"recommender": {"truth": "als"}})
    (axes,) = recall_by_group(table, {"kind": ("kind", ["a", "b"])}, "playlists", 10).axes
    assert {str(bars.get_label()): bars.patches[0].get_height() for bars in axes.containers[1::2]} == {
        "model": pytest.approx(0.4),
        "als": pytest.approx(0.3),
    }
