"""Sources of photographs: public collections, folders, wrong rows and files, through the data stages of retina."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.stages.programs import Programs
from winnow.domains.retina.source import formats
from winnow.domains.retina.source.fundus import draw_fundus
from winnow.images.codec import load_pixels
from winnow.images.store import read_images
from winnow.pipeline.errors import SourceError, TableError

RETINA = Programs("retina")
run, table = RETINA.run, RETINA.table
SOURCE = Path("data", "source", "retina")


def draw(path: Path, grade: int, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_fundus(grade, True, 64, np.random.default_rng(seed)).save(path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    SOURCE.mkdir(parents=True)
    return tmp_path


def test_idrids_own_file_and_further_columns_are_read(here: Path) -> None:
    for index in range(6):
        draw(SOURCE / "images" / f"IDRiD_{index:03}.jpg", index % 5, index)
    header = "Image name,Retinopathy grade,Risk of macular edema ,,PATIENT, Eye ,Split"
    rows = ["IDRiD_000,0,0,,ann,OD,train", "IDRiD_001,1,1,,ann,os,train", "IDRiD_002,2,1,,,,validation", ",,,,,,"]
    rows += ["IDRiD_003,3,1,,bo,left,test", "IDRiD_004,4,1,,bo,both,test", "IDRiD_005,4,1,,bo,,later"]
    Path(SOURCE, "labels.csv").write_text("\n".join([header, *rows]), encoding="utf-8-sig")
    source = [{"format": "idrid", "path": str(SOURCE / "labels.csv"), "images": str(SOURCE / "images")}]
    counts = run("ingest", sources=source, max_rejected_share=0.5)
    assert (counts["rows_in"], counts["rows_kept"]) == (6, 4)
    reasons = table("ingest/rejected.parquet")["reason"].tolist()
    assert reasons[0].startswith("the eye 'both' is none of left, right")
    assert reasons[1].startswith("the split 'later' is none of train, val")
    assert formats.guess(SOURCE / "labels.csv") == "idrid"
    run("filter", min_sharpness=0.0, duplicates="keep", max_hash_distance=0)
    run("label")
    labels = table("label/labels.parquet").set_index("image_id")
    assert labels["patient"].tolist() == ["idrid/ann", "idrid/ann", "labels/IDRiD_002", "idrid/bo"]
    assert labels["eye"].tolist() == ["right", "left", "unknown", "left"]
    assert labels["official_split"].tolist() == ["train", "train", "val", "test"]


def test_retinamnists_own_split_is_kept(shared_data: Path, here: Path) -> None:
    shutil.copy(shared_data / "retina" / "retinamnist.npz", SOURCE)
    source = [{"format": "medmnist", "path": str(SOURCE / "retinamnist.npz"), "images": None}]
    counts = run("ingest", sources=source, crop=False, common={"image_size": 28})
    assert (counts["rows_kept"], counts["rows_rejected"]) == (1600, 0)
    stored = read_images(Path("data/retina/ingest/images.arrow"))
    first = load_pixels(stored.select(["retinamnist/train_00000"])[0])
    original = np.load(SOURCE / "retinamnist.npz")["train_images"][0]
    assert (first == original).all()
    loose = {"min_sharpness": 0.0, "min_brightness": 0.0, "max_brightness": 255.0, "min_retina_share": 0.0}
    found = run("filter", conflicts="as_duplicates", **loose)
    assert found["duplicates"]["groups"] >= 1
    run("label")
    sides = run("split")
    assert sides["rows_test"] == 400  # a copy goes for its test photograph's sake, never the other way
    assert sides["rows_val"] + sides["rows_train"] == 1200 - found["rows_dropped"]
    folds = run("split", folds=5)
    assert folds["rows_test"] == pytest.approx(found["rows_kept"] / 5, abs=5)


def test_idrid_holds_photographs_twice_some_with_two_grades(shared_data: Path, here: Path) -> None:
    shutil.copytree(shared_data / "retina" / "idrid_384", SOURCE / "idrid_384")
    rows = pd.read_csv(shared_data / "retina" / "labels" / "idrid_384.csv")
    twice = ["IDRiD_021", "IDRiD_391", "IDRiD_028", "IDRiD_327", "IDRiD_045", "IDRiD_333", "IDRiD_100", "IDRiD_101"]
    rows[rows["id_code"].isin(twice)].to_csv(SOURCE / "few.csv", index=False)
    source = [{"format": "aptos", "path": str(SOURCE / "few.csv"), "images": str(SOURCE / "idrid_384")}]
    run("ingest", sources=source, common={"image_size": 160})
    found = run("filter", min_sharpness=0.0)
    assert found["duplicates"]["groups"] == 3
    assert found["duplicates"]["groups_with_conflicting_grades"] == 2
    assert found["dropped"]["conflicting_grades"] == 4
    assert found["dropped"]["duplicate"] == 1


def test_real_photographs_pass_the_limits_at_any_size_and_too_many_that_do_not_stop_the_stage(
    shared_data: Path, here: Path
) -> None:
    for file in sorted((shared_data / "retina" / "idrid_384").iterdir())[::40]:
        target = SOURCE / "mine" / "0" / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    source = [{"format": "folders", "path": str(SOURCE / "mine"), "images": None}]
    sharpness = []
    for size in (48, 384):
        run("ingest", sources=source, common={"image_size": size})
        sharpness.append(table("ingest/photos.parquet")["sharpness"].tolist())
        assert sum(run("filter")["dropped"].values()) == 0, size
    assert sharpness[0] == sharpness[1]
    limit = sorted(sharpness[0])[5]
    assert run("filter", min_sharpness=limit, max_dropped_share=5 / 11)["dropped"]["too_blurred"] == 5
    with pytest.raises(TableError, match=r"the limits drop 45.5% of 11 .*too_blurred 5: sharpness is .*min_sharpness"):
        run("filter", min_sharpness=limit, max_dropped_share=0.45)


def test_unusable_rows_are_counted_and_the_rest_goes_on(here: Path) -> None:
    for index in range(12):
        draw(SOURCE / "images" / f"{index}_{('left', 'right')[index % 2]}.png", index % 5, index)
    (SOURCE / "images" / "bad_left.jpeg").write_bytes((SOURCE / "images" / "0_left.png").read_bytes()[:300])
    rows = [(f"{index}_{('left', 'right')[index % 2]}", str(index % 5)) for index in range(12)]
    rows += [("bad_left", "0"), ("missing_left", "2"), ("3_right", "1"), ("", "1"), ("4_left.png", "many")]
    Path(SOURCE, "labels.csv").write_text("image,level\n" + "".join(f"{a},{b}\n" for a, b in rows))
    source = [{"format": "eyepacs", "path": str(SOURCE / "labels.csv"), "images": str(SOURCE / "images")}]
    counts = run("ingest", sources=source, max_rejected_share=0.5)
    assert (counts["rows_in"], counts["rows_kept"], counts["rows_rejected"]) == (17, 12, 5)
    reasons = table("ingest/rejected.parquet").set_index("row")["reason"]
    assert reasons[14].startswith("corrupt image")
    assert reasons[15] == f"no photograph missing_left in {SOURCE / 'images'}"
    assert reasons[16] == "3_right is named before, in row 5"
    assert reasons[17] == "no name"
    assert reasons[18] == "the grade 'many' is no number"
    with pytest.raises(SourceError, match=r"5 of 17 source rows cannot be used: 29.4%.*\n.*row 14: corrupt image"):
        run("ingest", sources=source, max_rejected_share=0.1)


def test_folders_and_a_grade_of_seven(here: Path) -> None:
    for index, grade in enumerate([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 4, 7]):
        draw(SOURCE / "mine" / str(grade) / f"{index}.png", min(grade, 4), index)
    draw(SOURCE / "mine" / "unsure" / "x.png", 0, 99)
    counts = run(
        "ingest", sources=[{"format": "folders", "path": str(SOURCE / "mine"), "images": None}], max_rejected_share=0.5
    )
    assert (counts["rows_kept"], counts["rows_rejected"]) == (12, 1)
    assert counts["by_grade"]["7"] == 1
    run("filter", min_sharpness=0.0)
    found = run("label")
    assert (found["rows_labelled"], found["rows_rejected"]) == (11, 1)
    assert found["rejected_for"] == {"grade 7 is not one of 0 to 4": 1}
    sides = run("split")  # grades 3 and 4 have one photograph: they are absent from two sides, and that is reported
    assert set(sides["grades_missing"]) >= {"val", "test"}
    run("weight")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"format": "aptos", "path": "labels.csv"}, "has no column id_code and no diagnosis"),
        ({"format": "medmnist", "path": "labels.csv"}, "is no MedMNIST file"),
        ({"format": "folders", "path": "empty"}, "holds no photograph in a folder of its grade"),
        ({"format": "eyepacs", "path": "none.csv"}, "none.csv does not exist"),
        ({"format": "eyepacs", "path": "labels.csv", "images": "nowhere"}, "nowhere does not exist"),
        ({"format": "eyepacs", "path": "header.csv"}, "hold no row"),
        ({"format": "eyepacs", "path": "labels.csv"}, "none of its photographs is in .*\n.*labels.csv.*\n.*--images"),
    ],
)
def test_sources_that_are_not_what_they_say(here: Path, source: dict[str, str], message: str) -> None:
    Path(SOURCE, "labels.csv").write_text("image,level\n10_left,0\n")
    Path(SOURCE, "header.csv").write_text("image,level\n")
    Path(SOURCE, "empty").mkdir()
    paths = {name: str(SOURCE / source[name]) for name in ("path", "images") if name in source}
    with pytest.raises(SourceError, match=message):
        run("ingest", sources=[{"images": None, **source, **paths}], max_rejected_share=1.0)


def test_two_sources_of_one_name_are_refused(here: Path) -> None:
    for folder in ("a", "b"):
        draw(SOURCE / folder / "mine" / "0" / "x.png", 0, 1)
    sources = [{"format": "folders", "path": str(SOURCE / folder / "mine"), "images": None} for folder in ("a", "b")]
    with pytest.raises(SourceError, match="two sources have the same file name"):
        run("ingest", sources=sources)


def test_turned_and_sixteen_bit_files_are_stored_as_what_they_show(here: Path) -> None:
    eye = draw_fundus(2, True, 64, np.random.default_rng(5))
    folder = SOURCE / "mine" / "2"
    folder.mkdir(parents=True)
    eye.save(folder / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # stored a quarter turn counterclockwise
    eye.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=exif)
    grey = eye.convert("L")
    grey.save(folder / "grey.png")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(folder / "deep.png")
    run("ingest", sources=[{"format": "folders", "path": str(SOURCE / "mine"), "images": None}])
    stored = read_images(Path("data/retina/ingest/images.arrow"))
    upright, turned, grey_png, deep = stored.select(f"mine/2/{name}" for name in ("upright", "turned", "grey", "deep"))
    assert turned == upright
    assert deep == grey_png
    assert upright != grey_png
