"""The five data stages of retina: on real tables and photographs, and on the real params with fewer drawn ones."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.class_weight import compute_class_weight

from stages.retina import split, weight
from tests.stages.programs import DATA_STAGES, Programs
from winnow.domains.retina.params import Synthetic, Weight
from winnow.domains.retina.rules.labels import (
    eye_in_name,
    eyes_agreement,
    label_photographs,
    patients,
    sources_of_single_photographs,
)
from winnow.domains.retina.source.fundus import draw_fundus
from winnow.domains.retina.source.synthetic import make
from winnow.images.codec import load_pixels
from winnow.images.store import read_images
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.pipeline.errors import LeakageError, TableError

RETINA = Programs("retina")
run, metrics, table = RETINA.run, RETINA.metrics, RETINA.table
SOURCE = Path("data", "source", "retina")
GUIDE = (82345, 3700, 10000, 1600, 2400)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all five stages ran on 260 drawn photographs, a tenth of them taken twice."""
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run("ingest", synthetic={"photographs": 260, "size": 80, "flawed_share": 0.1, "duplicate_share": 0.1})
        for name in DATA_STAGES[1:]:
            run(name)
    return folder


@pytest.fixture
def here(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to change, as the working folder."""
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    SOURCE.mkdir(parents=True)
    return tmp_path


def test_every_photograph_is_somewhere(here: Path) -> None:
    photos, kept, splits = table("ingest/photos.parquet"), table("filter/photos.parquet"), table("split/splits.parquet")
    assert list(photos["image_id"]) == read_images(Path("data/retina/ingest/images.arrow")).ids
    assert set(photos["image_id"]) == set(kept["image_id"]) | set(table("filter/dropped.parquet")["image_id"])
    assert set(kept["image_id"]) == set(splits["image_id"])
    assert set(table("weight/weights.parquet")["image_id"]) == set(splits.query("split == 'train'")["image_id"])


def test_the_filter_finds_what_the_source_spoilt_and_took_twice(here: Path) -> None:
    dropped = metrics("filter")["dropped"]
    assert min(dropped[rule] for rule in ("no_retina", "too_dark", "too_bright", "too_blurred")) > 0
    photos, duplicates = table("ingest/photos.parquet"), table("filter/duplicates.parquet")
    again = photos[photos["name"].str.endswith("_again")]
    gradable = set(photos["image_id"]) - set(
        table("filter/dropped.parquet").query("rule.str.startswith('too') | rule == 'no_retina'")["image_id"]
    )
    expected = [name for name in again["image_id"] if name in gradable and name.removesuffix("_again") in gradable]
    found = set(duplicates["image_id"])
    assert len(expected) >= 15
    # Measured .87: 48 pixels give little to hash, and a brighter copy's box may be a pixel wider.
    assert np.mean([name in found for name in expected]) >= 0.8
    # Nobody else is taken for a duplicate, and those whose grades disagree are reported and dropped whole.
    pairs = duplicates.groupby("duplicate_group")["image_id"].agg(lambda ids: {i.removesuffix("_again") for i in ids})
    assert pairs.map(len).eq(1).all()
    apart = duplicates[~duplicates["grades_agree"]]
    assert len(apart) > 0
    assert not apart["kept"].any()
    assert metrics("filter")["duplicates"]["groups_with_conflicting_grades"] == apart["duplicate_group"].nunique()


def test_the_synthetic_source_grades_every_third_photograph_again_a_step_lower_or_higher() -> None:
    values = Synthetic(photographs=400, size=32, duplicate_share=0.4, flawed_share=0.0)
    records = {record.name: record.grade for record in make(values, np.random.default_rng(0)).records}
    pairs = [(records[name.removesuffix("_again")], grade) for name, grade in records.items() if "_again" in name]
    assert len(pairs) == 160
    changed = [(before, after) for before, after in pairs if before != after]
    assert len(changed) == 54, "every third"
    assert {after - before for before, after in changed} == {-1, 1}
    assert all(0 <= after <= 4 for _, after in changed)
    assert {after for before, after in changed if before in {1, 2, 3}} >= {0, 1, 2, 3}


def test_conflicts_may_stay_as_duplicates_and_duplicates_may_stay_together(here: Path) -> None:
    run("filter", conflicts="as_duplicates")
    report = table("filter/duplicates.parquet")
    assert report.groupby("duplicate_group")["kept"].sum().eq(1).all()
    run("filter", duplicates="keep", conflicts="as_duplicates")
    assert table("filter/duplicates.parquet")["kept"].all()
    for name in ("label", "split"):
        run(name)
    rows = table("split/splits.parquet").merge(table("label/labels.parquet"), on="image_id")
    assert rows.groupby("duplicate_group")["split"].nunique().eq(1).all()
    assert rows["duplicate_group"].duplicated().any()


def test_duplicates_under_two_patients_names_stay_together() -> None:
    """Photographs of one eye under several names join all photographs of those patients, through both kinds of key."""
    number = np.arange(400)
    labels = pd.DataFrame(
        {
            "image_id": [f"a/{each:03d}" for each in number],
            "grade": number // 4 % 5,
            "patient": [f"a/{each // 2:03d}" for each in number],
            "duplicate_group": [f"a/{each:03d}" for each in number],
            "official_split": pd.Series(None, index=number, dtype="str"),
        }
    )
    labels.loc[number % 4 == 2, "duplicate_group"] = labels.loc[number % 4 == 0, "duplicate_group"].to_numpy()
    splits = split.split_photographs(labels, RETINA.section("split"), np.random.default_rng(0))
    sides = splits["split"].groupby(number // 4).nunique()
    assert sides.eq(1).all(), "two patients who share a duplicate are on two sides"
    assert splits["group"].nunique() == 100
    assert set(splits["split"]) == {"train", "val", "test"}


def test_both_eyes_stand_on_one_side_and_grades_are_alike(here: Path) -> None:
    rows = table("split/splits.parquet").merge(table("label/labels.parquet"), on="image_id")
    assert rows.groupby("patient")["split"].nunique().eq(1).all()
    assert rows.groupby("patient").size().max() >= 2
    assert (rows["split"] == "test").mean() == pytest.approx(0.2, abs=0.03)
    assert (rows["referable"] == (rows["grade"] >= 2)).all()
    shares = rows.assign(healthy=rows["grade"] == 0).groupby("split")["healthy"].mean()
    assert shares.max() - shares.min() < 0.06


def test_over_all_folds_each_photograph_is_tested_once(here: Path) -> None:
    tested = []
    for fold in range(5):
        run("split", folds=5, fold=fold)
        tested += table("split/splits.parquet").query("split == 'test'")["image_id"].tolist()
    assert sorted(tested) == sorted(table("label/labels.parquet")["image_id"])


def weights(**changes: Any) -> Weight:
    return Weight.model_validate({"method": "balanced", "effective_beta": 0.999, "max_class_weight": 100.0, **changes})


def test_class_weights_are_scikit_learns_and_the_guides_counts_give_its_formula(here: Path) -> None:
    grades = pd.Series(np.repeat(range(5), GUIDE))
    plain = weight.weigh_classes(grades, weights())
    expected = compute_class_weight("balanced", classes=np.arange(5), y=grades)
    assert plain["weight"].to_numpy() == pytest.approx(expected)
    assert plain["weight"].round(3).tolist() == [0.243, 5.408, 2.001, 12.506, 8.337]
    assert weight.warnings(plain) == []
    stored = table("weight/classes.parquet")
    assert stored["samples"].sum() == len(table("weight/weights.parquet"))


def test_large_class_weights_are_cut_rooted_or_those_of_the_effective_number() -> None:
    grades = pd.Series(np.repeat(range(5), GUIDE))
    cut = weight.weigh_classes(grades, weights(max_class_weight=10.0))
    assert cut["weight"].round(3).tolist() == [0.243, 5.408, 2.001, 10.0, 8.337]
    (warning,) = weight.warnings(cut)
    assert warning.startswith("⚠ class 3's weight 12.51 is cut to 10: a few photographs would dominate the loss")
    counts = np.array(GUIDE)
    rooted = weight.weigh_classes(grades, weights(method="sqrt"))["weight"].to_numpy()
    assert rooted[1:] / rooted[0] == pytest.approx(np.sqrt(counts[0] / counts[1:]))
    beta = 0.9999
    found = weight.weigh_classes(grades, weights(method="effective_number", effective_beta=beta))["weight"].to_numpy()
    effective = [sum(beta**n for n in range(count)) for count in GUIDE]  # the sum that Cui's formula sums up
    assert found[1:] / found[0] == pytest.approx(effective[0] / np.array(effective[1:]))
    for weighed in (rooted, found):
        assert (weighed * counts).sum() == pytest.approx(counts.sum())


def test_a_class_with_one_sample_and_a_class_with_none() -> None:
    for method in ("balanced", "sqrt", "effective_number"):
        params = weights(method=method, max_class_weight=5.0)
        classes = weight.weigh_classes(pd.Series([0] * 50 + [2] * 20 + [3]), params).set_index("grade")
        assert classes["samples"].tolist() == [50, 0, 20, 1, 0]
        assert classes.loc[[1, 4], "weight"].tolist() == [0, 0]
        lines = weight.warnings(classes.reset_index())
        assert "⚠ class 1 has no training sample: the model cannot learn it" in lines
        assert any("class 3's weight 23.67 is cut to 5" in line for line in lines) == (method == "balanced")


def test_weighted_sampling_draws_each_class_a_fifth_of_an_epoch() -> None:
    grades = pd.Series(np.repeat(range(5), GUIDE)).sample(frac=1, random_state=0, ignore_index=True)
    weights = weight.inverse_frequency_weights(grades).to_numpy()
    sampler = EpochSampler(len(grades), BatchShare(32, 1, 1, 0), weights)
    for seed in (1, 2):
        drawn_shares = np.bincount(grades.to_numpy()[sampler.order(seed)], minlength=5) / len(grades)
        assert drawn_shares == pytest.approx(0.2, abs=0.01)


def test_the_eyepacs_table_has_both_eyes_of_each_patient_and_the_split_keeps_them_together(shared_data: Path) -> None:
    rows = pd.read_csv(shared_data / "retina" / "labels" / "eyepacs_trainLabels.csv")
    photos = pd.DataFrame(
        {
            "image_id": "trainLabels/" + rows["image"],
            "name": rows["image"],
            "source": "eyepacs",
            "grade": rows["level"].astype("Int64"),
            "duplicate_group": "trainLabels/" + rows["image"],
            **dict.fromkeys(("official_split", "patient", "eye"), pd.Series(pd.NA, index=rows.index, dtype="str")),
        }
    )
    # Data made to tempt: copies of one photograph under the names of different patients, in chains.
    copies = np.random.default_rng(0).choice(len(photos), (300, 2))
    for first, second in copies:
        photos.loc[second, "duplicate_group"] = photos.loc[first, "duplicate_group"]
    labels, ungraded = label_photographs(photos, 0.0)
    assert len(labels) == 35_126
    assert ungraded.empty
    assert labels["grade"].value_counts().sort_index().tolist() == [25_810, 2_443, 5_292, 873, 708]
    both = eyes_agreement(labels)
    assert both["patients"] == 17_563
    assert both["same_grade_share"] == pytest.approx(0.872, abs=0.001)
    params = RETINA.section("split")
    splits = split.split_photographs(labels, params, np.random.default_rng(1))
    for key in ("patient", "duplicate_group"):
        assert splits["split"].groupby(labels[key].to_numpy()).nunique().eq(1).all()
    for side, share in (("train", 0.6), ("val", 0.2), ("test", 0.2)):
        assert (splits["split"] == side).mean() == pytest.approx(share, abs=0.002)
        assert (labels["grade"][splits["split"] == side] == 4).mean() == pytest.approx(708 / 35_126, abs=0.001)


def test_names_tell_the_patient_and_the_eye() -> None:
    told = {
        "10_left": ("10", "left"), "10_right_again": ("10", "right"), "P07_OD": ("P07", "right"),
        "P07-os_2": ("P07", "left"), "2/a_L": ("a", "left"), "IDRiD_021": (None, "unknown"),
        "crater": (None, "unknown"),
    }  # fmt: skip
    assert {name: eye_in_name(name) for name in told} == told


def test_runs_of_alike_neighbours_are_one_patients() -> None:
    """By their numbers and colours: 3 and 4 are alike, 6 follows 4 over one that was dropped, 11 is too far away."""
    names = ["E_1", "E_2", "E_3", "E_4", "E_6", "E_11", "F_5", "x", "7_left", "7_right"]
    photos = pd.DataFrame(
        {
            "image_id": [f"mine/{name}" for name in names],
            "name": names,
            "source": "aptos",
            "patient": pd.Series([None, "ann", *[None] * 8], dtype="str"),
            "red": [10.0, 10, 100, 104, 96, 96, 96, 96, 10, 200],
            "green": 50.0,
            "blue": [30.0, 30, 30, 33, 30, 30, 30, 30, 30, 30],
        }
    ).sample(frac=1, random_state=1)
    found = patients(photos, 12.0).loc[range(10)].tolist()
    run = ["mine/E_3"] * 3
    assert found == ["mine/E_1", "aptos/ann", *run, "mine/E_11", "mine/F_5", "mine/x", "aptos/7", "aptos/7"]
    assert patients(photos, 4.0).loc[[3, 4]].tolist() == ["mine/E_4", "mine/E_6"]
    assert patients(photos, 0.0).nunique() == 9


def test_a_collection_of_one_photograph_a_patient_is_warned_about(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert metrics("label")["warnings"] == []
    for index in range(4):
        Path(SOURCE, "mine", str(index)).mkdir(parents=True)
        draw_fundus(index, True, 64, np.random.default_rng(index)).save(SOURCE / "mine" / str(index) / "x.png")
    run("ingest", sources=[{"format": "folders", "path": str(SOURCE / "mine"), "images": None}])
    run("filter", min_sharpness=0.0)
    capsys.readouterr()
    assert "every patient of mine has one photograph" in run("label")["warnings"][0]
    assert "retina.label.neighbour_distance" in capsys.readouterr().err
    for eye in ("left", "right"):  # another source of this format, which knows its patients
        Path(SOURCE, "others", "0").mkdir(parents=True, exist_ok=True)
        draw_fundus(0, eye == "left", 64, np.random.default_rng(7)).save(SOURCE / "others" / "0" / f"10_{eye}.png")
    both = [{"format": "folders", "path": str(SOURCE / name), "images": None} for name in ("mine", "others")]
    run("ingest", sources=both)
    run("filter", min_sharpness=0.0)
    assert "every patient of mine has one photograph" in run("label")["warnings"][0], "two photographs silence it"


@pytest.mark.parametrize(
    ("patients", "told"),
    [
        ({"both eyes": "aabb"}, []),
        ({"one eye": "abcd", "both eyes": "aabbcc"}, ["one eye"]),
        ({"b": "ab", "both eyes": "aab", "a": "abc"}, ["a", "b"]),
        ({"a single photograph": "a", "both eyes": "aab"}, []),
    ],
)
def test_sources_of_one_photograph_a_patient_are_named_among_others(patients: dict[str, str], told: list[str]) -> None:
    photos = pd.DataFrame(
        [(source, source + eye) for source, eyes in patients.items() for eye in eyes], columns=["source", "patient"]
    ).assign(image_id=lambda table: [f"{each}/photograph {number}" for number, each in enumerate(table["source"])])
    labels = photos[["image_id", "patient"]].sample(frac=1, random_state=0)
    assert sources_of_single_photographs(labels) == told


def test_a_leak_and_too_few_photographs_stop_the_split(here: Path) -> None:
    labels = table("label/labels.parquet")
    sides = np.resize(["train", "val", "test"], len(labels))
    with pytest.raises(LeakageError, match="values of `patient` are in two splits"):
        split.split_photographs(labels.assign(official_split=sides), RETINA.section("split"), np.random.default_rng(0))
    with pytest.raises(TableError, match="too few to split"):
        split.split_photographs(labels[:2], RETINA.section("split"), np.random.default_rng(0))


def test_nothing_gradable_stops_the_filter_and_no_grade_stops_the_label(here: Path) -> None:
    with pytest.raises(TableError, match="no row is left after filtering"):
        run("filter", min_retina_share=1.0, max_dropped_share=1.0)
    photos = table("filter/photos.parquet").assign(
        grade=pd.array([9] * len(table("filter/photos.parquet")), dtype="Int64")
    )
    photos.to_parquet(Path("data/retina/filter/photos.parquet"))
    with pytest.raises(TableError, match="no photograph has a grade from 0 to 4"):
        run("label")


def test_limits_that_drop_too_many_are_told_with_what_all_photographs_measure(here: Path) -> None:
    file = Path("data/retina/ingest/photos.parquet")
    photos = pd.read_parquet(file)
    count = len(photos)
    photos = photos.assign(brightness=100.0, retina_share=0.5, sharpness=np.linspace(0, 1, count))
    photos.sample(frac=1, random_state=0).to_parquet(file)
    limits = {"min_brightness": 50, "max_brightness": 200, "min_retina_share": 0.25, "min_sharpness": 0.4}
    told = (
        f"the limits drop 40.0% of {count} photographs, more than retina.filter.max_dropped_share 0.35: "
        f"too_blurred {0.4 * count:.0f}: sharpness is 0.05 to 0.95 (5% to 95%, median 0.5), min_sharpness 0.4"
    )
    with pytest.raises(TableError, match=re.escape(told)):
        run("filter", **limits, max_dropped_share=0.35)


def test_ingest_and_filter_pass_on_how_photographs_were_prepared_and_judged(here: Path) -> None:
    run("ingest", common={"image_size": 40}, contrast=True, synthetic={"photographs": 60, "size": 64})
    (preparation,) = table("ingest/preparation.parquet").to_dict("records")
    assert preparation == {"image_size": 40, "crop": True, "contrast": True}
    first = load_pixels(read_images(Path("data/retina/ingest/images.arrow"))[0])
    assert first.shape == (40, 40, 3)
    assert (first[0, 0] == 128).all()  # outside the retina Ben Graham's contrast is middle grey
    run("filter", min_sharpness=0.25, max_hash_distance=5)
    run("label")
    (limits,) = table("label/limits.parquet").to_dict("records")
    assert limits == {name: getattr(RETINA.section("filter"), name) for name in limits} | {
        "min_sharpness": 0.25,
        "max_hash_distance": 5,
    }
