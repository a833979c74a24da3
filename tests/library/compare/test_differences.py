"""Differences between two models whose predictions are known, in a repository of its own."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from winnow.compare import differences
from winnow.compare.differences import BETTER, SAME, UNCLEAR, WORSE, Comparison, Difference, compare, decide
from winnow.compare.report import write_report
from winnow.compare.revisions import Revision
from winnow.domains.climb import comparison
from winnow.judge.intervals import Interval
from winnow.pipeline.errors import WinnowError

ROUTES = 400
Write = Callable[..., None]


def routes(loss: float, seed: int, ids: int = 0) -> pd.DataFrame:
    """Test routes of four tokens, in groups of two; two models share what is hard about each route."""
    difficulty = np.random.default_rng(0).normal(0, 0.5, ROUTES)
    nll = 4 * np.abs(loss + difficulty + np.random.default_rng(seed).normal(0, 0.02, ROUTES // 2).repeat(2))
    return pd.DataFrame(
        {
            "route_id": [f"r{ids + number:04}" for number in range(ROUTES)],
            "hold_set": [f"h{number // 2}" for number in range(ROUTES)],
            "in_full": True,
            "in_quality": False,
            "grade": "6B",
            "tokens": 4,
            "nll": nll,
            "nll_grade_bigram": 12.0,
        }
    )


def perplexity(table: pd.DataFrame) -> float:
    return float(np.exp(table["nll"].sum() / table["tokens"].sum()))


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes and commits one state of climb's results."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    git("config", "user.name", "a")
    git("config", "user.email", "a@example.org")
    subprocess.run(["dvc", "init", "-q"], check=True)

    def state(table: pd.DataFrame | None, value: float, digest: str, split: str = "same", **params: Any) -> None:
        for folder in ("metrics/climb", "data/climb/evaluate"):
            Path(folder).mkdir(parents=True, exist_ok=True)
        bounds = {"low": value - 0.4, "high": value + 0.4}
        model = {"grade_agreement_score": 0.5, "perplexity": value}
        judged = {"verdict": "PASS", "reasons": ["PASS: `x`"], "model": model, "interval": {"perplexity": bounds}}
        Path("metrics/climb/judgement.json").write_text(json.dumps(judged))
        Path("metrics/climb/evaluate.json").write_text(json.dumps(model))
        out = {"path": "data/climb/train/model", "md5": digest}
        sides = {"path": "data/climb/split", "md5": split}
        stages = {name: {"cmd": name, "outs": [made]} for name, made in (("train@climb", out), ("split@climb", sides))}
        Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
        section = {"train": params, "evaluate": {"gate": {"headline": "perplexity"}}}
        Path("params.yaml").write_text(yaml.safe_dump({"domains": ["climb"], "seed": 1, "climb": section}))
        file = Path("data/climb/evaluate/predictions.parquet")
        if table is None:
            file.unlink(missing_ok=True)
        else:
            table.to_parquet(file)
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", "state")

    return state


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)


def compared() -> Comparison:
    (found,) = decide([compare("climb", Revision("HEAD~1"), Revision("HEAD"))])
    return found


def test_pairing_sees_what_separate_intervals_do_not(write: Write) -> None:
    before, after = routes(1.5, seed=1), routes(1.48, seed=2)
    write(before, perplexity(before), "one")
    write(after.sample(frac=1, random_state=0), perplexity(after), "one")
    found, other = compared().differences
    assert (found.metric, other.decision) == ("perplexity", SAME)
    assert found.interval is not None
    assert found.decision == BETTER
    # the delta method over groups of two routes, by hand
    apart = (after["nll"] - before["nll"]).groupby(before["hold_set"]).mean() / 4
    reach = 1.96 * apart.std(ddof=0) / np.sqrt(len(apart)) * perplexity(before)
    assert found.interval.high - found.interval.low == pytest.approx(2 * reach, rel=0.15)
    assert found.interval.high < 0
    git("rm", "-q", "--cached", "data/climb/evaluate/predictions.parquet")
    git("commit", "-q", "-m", "no predictions")
    found = decide([compare("climb", Revision("HEAD~2"), Revision("HEAD"))])[0]
    assert found.differences[0].decision == UNCLEAR, "intervals of ±0.4 do not tell 0.09 apart"
    unpaired = found.differences[0].interval
    assert unpaired is not None
    assert unpaired.high - unpaired.low == pytest.approx(0.8 * np.sqrt(2)), "of two independent samples"
    assert "no stored predictions for HEAD" in found.notes[0]


@pytest.mark.parametrize("changed", ["other routes", "other labels", "other numbers", "nothing"])
def test_another_test_set_is_said_and_not_paired(write: Write, monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    predictions = replace(comparison.PREDICTIONS, numbered_by=["split"])
    monkeypatch.setattr(comparison, "PREDICTIONS", predictions)
    before, after = routes(1.5, seed=1), routes(1.48, seed=2, ids=5 if changed == "other routes" else 0)
    if changed == "other labels":
        after.loc[3, "grade"] = "6C"
    write(before, perplexity(before), "one")
    write(after, perplexity(after), "one", split="another" if changed == "other numbers" else "same")
    found = compared()
    assert (found.differences[0].decision == UNCLEAR) == (changed != "nothing")
    assert [note for note in found.notes if "the test set has changed" in note] == found.notes
    assert bool(found.notes) == (changed != "nothing")


def test_the_noise_of_seeds_counts_where_training_ran_again(write: Write) -> None:
    before, after = routes(1.5, seed=1), routes(1.52, seed=2)
    write(before, perplexity(before), "one")
    noise = {"seeds": 5, "standard_deviation": {"perplexity": 0.2, "grade_agreement_score": 0.1}}
    Path("metrics/climb/noise.json").write_text(json.dumps(noise))
    write(after, perplexity(after), "two")
    assert compared().differences[0].decision == UNCLEAR
    (same_model,) = decide([compare("climb", Revision("HEAD~1"), Revision("HEAD"))])
    assert not same_model.notes
    write(after, perplexity(after), "two")
    assert compared().differences[0].decision == SAME
    Path("metrics/climb/noise.json").unlink()
    write(before, perplexity(before), "one")
    write(after, perplexity(after), "one")
    assert compared().differences[0].decision == WORSE
    better = routes(1.3, seed=2)
    write(better, perplexity(better), "two")
    found = compared()
    assert any("over training seeds is not known (winnow noise climb)" in note for note in found.notes)
    assert found.differences[0].interval is not None
    assert found.differences[0].interval.high < 0
    assert found.differences[0].decision == UNCLEAR, "another seed might do the same"
    Path("metrics/climb/noise.json").write_text(json.dumps({"seeds": 5, "standard_deviation": {"recall": 0.001}}))
    write(before, perplexity(before), "one")
    assert compared().differences[0].decision == UNCLEAR, "noise.json is older than the metric"


def test_looking_at_more_metrics_takes_stronger_evidence() -> None:
    changed = Difference("mae", 0.5, 0.4, Interval(-0.19, -0.01), p_value=0.03)
    (one,) = decide([Comparison("a", ("", ""), [changed], [])])
    assert one.differences[0].decision == BETTER
    for two in (
        [Comparison("a", ("", ""), [changed, changed], [])],
        [Comparison(name, ("", ""), [changed], []) for name in "ab"],
    ):
        assert {each.decision for found in decide(two) for each in found.differences} == {UNCLEAR}


def test_the_report_shows_the_worst_parts_of_the_test_set(write: Write) -> None:
    write(routes(1.5, seed=1), 3.0, "one")
    parts = [
        {"by": "grade", "value": f"{value}", "rows": 9, "metric": "perplexity", "score": value} for value in range(9)
    ]
    pd.DataFrame(parts).to_parquet("data/climb/evaluate/slices.parquet")
    write(routes(1.3, seed=1), 2.0, "two")
    text = write_report(Revision("HEAD~1"), Revision("HEAD"), None)
    assert re.findall(r"\| grade (\d) \|", text) == ["8", "7", "6"], "high perplexity is bad"


@pytest.mark.parametrize("rows", [0.01, 1.5])
def test_of_changes_that_are_chance_one_in_twenty_looks_real(rows: float) -> None:
    """Two trainings, each with the noise of its seed, whose spread is estimated from five others."""
    rng, seeds, trials = np.random.default_rng(0), 5, 3000
    noise = rng.normal(size=(trials, seeds)).std(axis=1, ddof=1)
    first, second = rng.normal(size=(2, trials))
    apart = second - first + rng.normal(0, rows, trials)
    found = [differences._difference("mae", (0.0, a), rows, s, seeds) for a, s in zip(apart, noise, strict=True)]
    share = np.mean([each.p_value < 0.05 for each in found])
    assert share == pytest.approx(0.05, abs=0.015)
    outside = [each.interval is not None and each.interval.low * each.interval.high > 0 for each in found]
    assert np.mean(outside) == pytest.approx(share, abs=0.002)


def test_the_report_names_params_stages_and_the_verdict(write: Write) -> None:
    before, after = routes(1.5, seed=1), routes(1.3, seed=2)
    Path("metrics/climb").mkdir(parents=True)
    Path("metrics/climb/noise.json").write_text(json.dumps({"seeds": 5, "standard_deviation": {"perplexity": 0.01}}))
    write(before, perplexity(before), "one", epochs=1, note="<b>")
    write(after, perplexity(after), "two", epochs=2, note="@octocat | `x`")
    text = write_report(
        Revision("HEAD~1"), Revision("HEAD"), {"plot@climb": ["its code has changed"], "train@climb": ["params"]}
    )
    assert "| climb | PASS | perplexity " in text
    assert "🟢 better | train |" in text
    assert "| train.epochs | 1 | 2 |" in text
    assert "- PASS: \\`x\\`" in text
    assert "**stale**: climb (train, plot)" in text
    head = subprocess.run(["git", "rev-parse", "--short=7", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert f"HEAD ({head.strip()}) compared with" in text
    assert "@octocat" not in text
    assert "<b>" not in text.replace("<b>climb</b>", "")


def test_a_revision_that_is_not_there(write: Write) -> None:
    write(None, 3.0, "one")
    with pytest.raises(WinnowError, match="there is no revision `nowhere`"):
        Revision("nowhere")
