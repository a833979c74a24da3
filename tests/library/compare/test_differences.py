"""Differences between two models whose predictions are known, in a repository of its own."""

import json
import math
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.library.compare.conftest import Write, git, perplexity, routes
from winnow.compare import differences
from winnow.compare.differences import BETTER, SAME, UNCLEAR, WORSE, Comparison, Difference, compare, decide
from winnow.compare.revisions import Revision
from winnow.domains.climb import metrics
from winnow.judge.intervals import Interval


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
    assert found.notes[0].startswith("compared unpaired: perplexity (no stored predictions for HEAD")


def test_stored_intervals_count_by_the_confidence_they_were_computed_with(write: Write) -> None:
    """Without predictions: those of 68% are a standard deviation to either side, those of 95% are 1.96."""
    for value, confidence in ((9.0, 0.6827), (9.5, 0.9545)):
        write(None, value, "one")
        lock = yaml.safe_load(Path("dvc.lock").read_text())
        evaluated = {"climb.evaluate": {"bootstrap": {"confidence": confidence}}}
        lock["stages"]["evaluate@climb"] = {"cmd": "evaluate", "params": {"params.yaml": evaluated}}
        Path("dvc.lock").write_text(yaml.safe_dump(lock))
        judged = Path("metrics/climb/judgement.json")
        wider = json.loads(judged.read_text()) | {"interval": {"perplexity": {"low": value - 0.7, "high": value + 0.5}}}
        judged.write_text(json.dumps(wider if value == 9.5 else json.loads(judged.read_text())))
        git("commit", "-q", "-a", "-m", "with its params")
    (found,) = decide([compare("climb", Revision("HEAD~2"), Revision("HEAD"))])
    assert found.differences[0].standard_error == pytest.approx(math.hypot(0.4 / 1, 0.6 / 2), rel=1e-3)
    assert found.differences[0].decision == UNCLEAR


@pytest.mark.parametrize("changed", ["other routes", "other labels", "other numbers", "nothing"])
def test_another_test_set_is_said_and_not_paired(write: Write, monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    monkeypatch.setattr(metrics, "COMPARED", (replace(metrics.COMPARED[0], numbered_by=["split"]),))
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
    assert 4 <= compared().differences[0].freedom < 4.5, "one less than the five trainings of noise.json"
    (same_model,) = decide([compare("climb", Revision("HEAD~1"), Revision("HEAD"))])
    assert [note for note in same_model.notes if "before winnow noted where" not in note] == []
    write(after, perplexity(after), "two")
    assert compared().differences[0].decision == SAME
    Path("metrics/climb/noise.json").unlink()
    write(before, perplexity(before), "one")
    write(after, perplexity(after), "one")
    assert compared().differences[0].decision == WORSE
    better = routes(1.3, seed=2)
    write(better, perplexity(better), "two")
    found = compared()
    assert any("perplexity: the spread over training seeds is not known" in note for note in found.notes)
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
    unknown = replace(changed, interval=None, p_value=None)
    (one,) = decide([Comparison("a", ("", ""), [unknown, changed, unknown], [])])
    assert [each.decision for each in one.differences] == [UNCLEAR, BETTER, UNCLEAR], "what is not tested costs nothing"
    for two in (
        [Comparison("a", ("", ""), [changed, changed], [])],
        [Comparison(name, ("", ""), [changed], []) for name in "ab"],
    ):
        assert {each.decision for found in decide(two) for each in found.differences} == {UNCLEAR}


def test_the_later_noise_counts_and_the_earlier_where_it_is_alone(write: Write) -> None:
    before, after = routes(1.5, seed=1), routes(1.45, seed=2)

    def state(table: pd.DataFrame, digest: str, spread: float | None) -> None:
        file = Path("metrics/climb/noise.json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        if spread is not None:
            file.write_text(json.dumps({"seeds": 5, "standard_deviation": {"perplexity": spread}}))
        write(table, perplexity(table), digest)

    for earlier, later, decision in ((9.0, 1e-3, BETTER), (1e-3, 9.0, UNCLEAR), (1e-3, None, BETTER)):
        state(before, "one", earlier)
        state(after, "two", later)
        assert compared().differences[0].decision == decision, (earlier, later)


def test_what_could_have_been_seen_is_power_beyond_the_two_sided_level() -> None:
    """By the normal table: 1.960 + 0.842 standard deviations for one test at 5%, 2.241 + 0.842 for two."""
    unseen = Difference("mae", 0.5, 0.4, Interval(-2.1, 1.9), p_value=0.9, standard_error=1.0)
    for tests, expected in ((1, 2.802), (2, 3.083)):
        (one,) = decide([Comparison("a", ("", ""), [unseen] * tests, [])])
        assert one.differences[0].detectable == pytest.approx(expected, abs=1e-3)


def test_the_noise_of_five_trainings_alone_has_four_degrees_of_freedom() -> None:
    assert differences._difference("mae", (0.0, 1.0), 0.0, 0.5, 5).freedom == pytest.approx(4)


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


def test_a_p_value_that_is_not_a_number_decides_nothing() -> None:
    undefined = Difference("mae", 0.5, 0.4, Interval(-0.2, -0.1), p_value=math.nan)
    (one,) = decide([Comparison("a", ("", ""), [undefined], [])])
    assert one.differences[0].decision == UNCLEAR


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"seeds": 1, "standard_deviation": {"perplexity": 0.01}}',
        '{"standard_deviation": {"perplexity": 0.01}}',
        '{"seeds": 5}',
        '{"seeds": 5, "standard_deviation": {"perplexity": NaN}}',
        '{"seeds": 5, "standard_deviation": {"perplexity": null}}',
    ],
)
def test_noise_that_cannot_be_used_is_unknown(write: Write, content: str) -> None:
    before, after = routes(1.5, seed=1), routes(1.3, seed=2)
    write(before, perplexity(before), "one")
    Path("metrics/climb/noise.json").write_text(content)
    write(after, perplexity(after), "two")
    found = compared()
    assert found.differences[0].decision == UNCLEAR
    assert "metrics/climb/noise.json cannot be used: " in found.notes[0]


def test_a_spread_of_zero_is_no_certainty(write: Write) -> None:
    before, after = routes(1.5, seed=1), routes(1.3, seed=2)
    write(before, perplexity(before), "one")
    Path("metrics/climb/noise.json").write_text(json.dumps({"seeds": 5, "standard_deviation": {"perplexity": 0.0}}))
    write(after, perplexity(after), "two")
    found = compared()
    assert found.differences[0].decision == UNCLEAR, "five equal trainings do not show that the sixth is"
    assert any("is not known, or was zero" in note for note in found.notes)
    assert differences._difference("mae", (0.0, 1.0), 0.0, 0.0, 0).p_value is None


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("grade", "grade", "'grade'"),
        ("hold_set", "grade", "'grade'"),
        ("nll", "nll", "'nll'"),
        ("tokens", "", "'tokens'"),
    ],
)
def test_predictions_of_another_form_are_not_paired(write: Write, old: str, new: str, why: str) -> None:
    before, after = routes(1.5, seed=1), routes(1.48, seed=2)
    write(before.drop(columns=old), perplexity(before), "one")
    write(after.drop(columns=[new] if new else []), perplexity(after), "one")
    found = compared()
    assert why in found.notes[0]
    assert "cannot be paired" in found.notes[0]
    assert found.differences[0].decision == UNCLEAR, "intervals of ±0.4 do not tell 0.09 apart"


def test_a_metric_that_is_undefined_on_every_resample_is_not_paired(write: Write) -> None:
    nothing = routes(1.5, seed=1).assign(tokens=0)
    write(nothing, 3.0, "one")
    write(nothing.assign(nll=1.0), 3.1, "one")
    assert "undefined on every resample" in compared().notes[0]


def test_a_change_without_an_interval_is_told_and_decides_nothing(write: Write) -> None:
    table = routes(1.5, seed=1)
    write(table, perplexity(table), "one")
    write(table, perplexity(table), "one")
    file = Path("metrics/climb/judgement.json")
    judged = json.loads(file.read_text())
    judged["model"]["grade_agreement_score"] = 0.9
    file.write_text(json.dumps(judged))
    git("commit", "-qam", "other agreement")
    found = compared()
    (changed,) = (each for each in found.differences if each.decision != SAME)
    assert (changed.metric, changed.decision, changed.interval) == ("grade_agreement_score", UNCLEAR, None)
    assert found.notes[-1] == "no interval is known of grade_agreement_score: nothing is decided about it"


def test_metrics_of_one_revision_alone_are_named(write: Write) -> None:
    table = routes(1.5, seed=1)
    write(table, perplexity(table), "one")
    write(table, perplexity(table), "one")
    for name, content in (
        ("judgement", {"model": {"perplexity": 4.5}, "interval": {}}),
        ("evaluate", {"perplexity": 4.5}),
    ):
        Path(f"metrics/climb/{name}.json").write_text(json.dumps(content))
    git("commit", "-qam", "agreement is measured no more")
    assert "measured in only one of the two: grade_agreement_score" in compared().notes


@pytest.mark.parametrize("remote", ["s3://bucket/cache", "https://127.0.0.1:1/cache", "/nowhere/cache"])
def test_a_remote_out_of_reach_is_as_good_as_none(write: Write, remote: str) -> None:
    write(None, 3.0, "one")
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    made = {"path": "data/climb/evaluate", "hash": "md5", "md5": f"{'0' * 32}.dir"}
    lock["stages"] = {"evaluate@climb": {"cmd": "true", "outs": [made]}}
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    stage = {"matrix": {"domain": ["climb"]}, "cmd": "true", "outs": ["data/${item.domain}/evaluate"]}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"evaluate": stage}}))
    subprocess.run(["dvc", "remote", "add", "-q", "-d", "there", remote], check=True)
    git("add", "-A")
    git("commit", "-qm", "with a remote")
    write(None, 3.1, "one")
    one = compare("climb", Revision("HEAD~1"), Revision("HEAD"))
    assert any("no stored predictions for HEAD~1" in note for note in one.notes)
