"""The five data stages of documents: formats, bad input, copies, sides and weights."""

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pyarrow.parquet import ParquetFile
from scipy.stats import chi2_contingency

from stages.documents import filter as filter_program
from stages.documents.train import seen_pages
from tests.stages.conftest import Finished
from tests.stages.programs import DATA_STAGES, Programs
from winnow.domains.documents import definitions
from winnow.domains.documents.model import training
from winnow.domains.documents.rules.splits import split_images
from winnow.domains.documents.source import collect
from winnow.domains.documents.source.synthetic import draw_page
from winnow.domains.documents.tables import Seen
from winnow.images.codec import ImageError, load_pixels
from winnow.images.pdf import pdf_pages
from winnow.images.store import Images, read_images
from winnow.pipeline.errors import SourceError, TableError
from winnow.pipeline.tables import read_table

DOCUMENTS = Programs.tiny("documents")
run, table, metrics = DOCUMENTS.run, DOCUMENTS.table, DOCUMENTS.metrics
SOURCE = Path("data", "source", "documents")
PAGES = [Image.fromarray(draw_page(kind, 300, np.random.default_rng(7))) for kind in ("letter", "table", "form")]

of_documents = pytest.mark.parametrize("finished", ["documents"], indirect=True)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a source folder, as the working folder."""
    monkeypatch.chdir(tmp_path)
    SOURCE.mkdir(parents=True)
    return tmp_path


def ingest(form: str, path: Path, share: float = 0.99) -> pd.DataFrame:
    """The rejected rows of a source, and its pages in the tables."""
    run("ingest", sources=[{"format": form, "path": str(path)}], max_rejected_share=share)
    return table("ingest/rejected.parquet")


def clean_folder() -> Path:
    folder = SOURCE / "clean"
    (folder / "more").mkdir(parents=True)
    PAGES[0].save(folder / "letter_p1.png")
    PAGES[1].save(folder / "more" / "photo.jpg", quality=95)
    PAGES[0].save(folder / "both.pdf", save_all=True, append_images=[PAGES[2]], resolution=100)
    return folder


def test_clean_pages_are_read_from_png_jpeg_and_every_page_of_a_pdf(here: Path) -> None:
    assert ingest("clean_pages", clean_folder()).empty
    pages = table("ingest/pages.parquet").set_index("image_id")
    names = ["clean/both#0001", "clean/both#0002", "clean/letter_p1", "clean/more/photo"]
    assert list(pages.index) == names == read_images(Path("data/documents/ingest/images.arrow")).ids
    assert pages["document"].tolist() == ["clean/both", "clean/both", "clean/letter", "clean/more/photo"]
    images = read_images(Path("data/documents/ingest/images.arrow"))
    assert (load_pixels(images.select(["clean/letter_p1"])[0], "L") == np.asarray(PAGES[0])).all()
    assert pages.loc["clean/both#0001", "width"] == PAGES[0].width  # the scan itself, not rendered
    assert metrics("ingest")["rows_in"] == 4
    assert metrics("ingest")["files"] == 3


def test_every_page_of_a_labelled_pdf_is_an_example_with_its_own_pixels(here: Path) -> None:
    folder = SOURCE / "mine"
    folder.mkdir()
    PAGES[0].save(folder / "lease.pdf", save_all=True, append_images=PAGES[1:], resolution=100)
    (folder / "metadata.csv").write_text("filename,quality_score\nlease.pdf,0.3\n")
    assert ingest("labelled", folder).empty
    ids = [f"mine/lease#{number:04}" for number in (1, 2, 3)]
    for stage in ("ingest", "label"):
        if stage == "label":
            run("filter")
            run("label")
        stored = read_images(Path("data/documents", stage, "images.arrow"))
        assert stored.ids == ids, f"after {stage}, pages of a labelled PDF are lost"
        for number, content in enumerate(stored):
            shown = load_pixels(content, "L").astype(float)
            off = [np.abs(shown - page).mean() if shown.shape == page.size[::-1] else 255.0 for page in PAGES]
            nearest = int(np.argmin(off))
            assert nearest == number, f"after {stage}, page {number + 1} shows page {nearest + 1} of the PDF"
            assert off[number] < 5
    labels = table("label/labels.parquet")
    assert labels["image_id"].tolist() == ids
    assert labels["score"].tolist() == [0.3] * 3
    assert set(labels["document"]) == {"mine/lease"}


def test_severities_of_a_labelled_pdf_are_those_of_each_of_its_pages(here: Path) -> None:
    folder = SOURCE / "mine"
    folder.mkdir()
    PAGES[0].save(folder / "lease.pdf", save_all=True, append_images=PAGES[1:], resolution=100)
    columns = [f"severity_{issue}" for issue in definitions.ISSUES]
    given = [number / 20 for number in range(len(columns))]
    lines = [["filename", "quality_score", *columns], ["lease.pdf", 0.3, *given]]
    (folder / "metadata.csv").write_text("".join(",".join(map(str, line)) + "\n" for line in lines))
    assert ingest("labelled", folder).empty
    run("filter")
    run("label")
    found = table("label/severities.parquet").set_index(["image_id", "issue"])["severity"].unstack()  # noqa: PD010
    assert found.index.tolist() == [f"mine/lease#{number:04}" for number in (1, 2, 3)]
    for page, row in found[list(definitions.ISSUES)].iterrows():
        assert row.tolist() == given, f"{page} has other severities than its file was given"


def test_pages_that_are_written_in_pieces_are_the_same(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stage lets go of the pages that it has written."""
    names = ("ingest/pages.parquet", "filter/pages.parquet")
    run("ingest")
    run("filter")
    whole = [table(name) for name in names]
    sizes: list[int] = []
    real = collect.typed_frame
    monkeypatch.setattr(collect, "typed_frame", lambda rows, types: sizes.append(len(rows)) or real(rows, types))
    monkeypatch.setattr(collect, "PIECE", 4)
    monkeypatch.setattr(filter_program, "PIECE", 4)
    run("ingest")
    run("filter")
    assert sizes[:-1] == [4] * (len(whole[0]) // 4) + [len(whole[0]) % 4]  # then the rejected ones
    for name, before in zip(names, whole, strict=True):
        pd.testing.assert_frame_equal(table(name), before)
        file = ParquetFile(Path("data/documents", name))
        assert file.num_row_groups == -(-len(before) // 4)


def test_filter_reads_no_page_that_looks_like_no_other(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of thousands of pages it would otherwise hold every one."""
    run("ingest")
    read: list[int] = []
    real = Images.__getitem__
    monkeypatch.setattr(Images, "__getitem__", lambda self, place: read.append(1) or real(self, place))
    run("filter", max_hash_distance=0)
    assert not read


def test_pages_larger_than_the_limit_are_reduced_and_others_stay(here: Path) -> None:
    clean_folder()
    run("ingest", sources=[{"format": "clean_pages", "path": str(SOURCE / "clean")}], common={"max_side": 300})
    pages = table("ingest/pages.parquet")
    assert pages[["width", "height"]].max(axis=1).eq(300).all()


def test_files_that_cannot_be_read_are_rejected_with_the_reason(here: Path) -> None:
    folder = clean_folder()
    (folder / "empty.png").touch()
    content = (folder / "letter_p1.png").read_bytes()
    (folder / "corrupt.png").write_bytes(content[: len(content) // 2])
    (folder / "text.jpg").write_text("no image")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4\n")
    Image.new("L", (30, 200), 255).save(folder / "narrow.png")
    Path(os.fsdecode(os.fsencode(folder) + b"/lettre\xe9.png")).write_bytes(content[:9])
    fax = [page.copy() for page in PAGES]
    fax[0].save(folder / "fax.tif", save_all=True, append_images=fax[1:])
    rejected = ingest("clean_pages", folder).set_index("name")["reason"]
    assert rejected["empty"] == "the file is empty"
    assert "lettre\\xe9" in rejected.index, "a name of another encoding"
    assert rejected["corrupt"].startswith("corrupt image")
    assert rejected["text"] == "not an image file"
    assert rejected["broken"] == "the PDF is corrupt or has no pages"
    assert rejected["narrow"].startswith("too small: 30 × 200 pixels")
    pages = table("ingest/pages.parquet").set_index("image_id")
    assert pages.index[pages["name"] == "fax"].tolist() == [f"clean/fax#000{number}" for number in (1, 2, 3)]
    assert len(pages) == 7
    with pytest.raises(SourceError, match="source rows cannot be used"):
        ingest("clean_pages", folder, 0.05)


def test_a_pdf_without_pages_is_no_page() -> None:
    empty = io.BytesIO()
    body = (
        b"%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kids[]/Count 0>>\nendobj\n"
    )
    table_at = len(body)
    first, second = body.index(b"1 0 obj"), body.index(b"2 0 obj")
    entries = b"0000000000 65535 f \n%010d 00000 n \n%010d 00000 n \n" % (first, second)
    empty.write(body + b"xref\n0 3\n" + entries + b"trailer\n<</Root 1 0 R/Size 3>>\nstartxref\n%d\n%%%%EOF" % table_at)
    for content in (empty.getvalue(), empty.getvalue()[:60], empty.getvalue()):  # whatever came before
        with pytest.raises(ImageError, match="^the PDF is corrupt or has no pages$"):
            list(pdf_pages(content, 100)[1])
    with pytest.raises(ImageError, match="the file is empty"):
        pdf_pages(b"", 100)


def labelled(rows: list[str], header: str = "filename,quality_score,quality_class,issues") -> Path:
    folder = SOURCE / "scans"
    folder.mkdir(exist_ok=True)
    for number, page in enumerate(PAGES):
        page.save(folder / f"page{number}.png")
    page.save(folder.parent / "elsewhere.png")
    (folder / "metadata.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder


def test_a_csv_may_be_named_in_capitals(here: Path) -> None:
    folder = labelled(["page0.png,0.65,,"])
    (folder / "metadata.csv").rename(folder / "LABELS.CSV")
    assert ingest("labelled", folder / "LABELS.CSV").empty
    assert table("ingest/pages.parquet")["score"].tolist() == [0.65]


def test_labels_follow_from_score_or_class_and_issues_are_flags(here: Path) -> None:
    ingest("labelled", labelled(["page0.png,0.65,,blur;noise", "page1.png,,Very Poor,", "page2.png,0.9,High,glare"]))
    run("filter")
    run("label")
    labels = table("label/labels.parquet").set_index("image_id")
    assert labels["score"].tolist() == [0.65, 0.1, 0.9]
    assert labels["label"].tolist() == [1, 4, 0]
    severities = table("label/severities.parquet")
    assert severities["severity"].isna().all()
    flagged = severities[severities["flagged"].eq(1)].groupby("image_id")["issue"].agg(set)
    assert flagged.to_dict() == {"scans/page0": {"blur", "noise"}, "scans/page2": {"glare"}}
    stored = read_images(Path("data/documents/label/images.arrow")).select(["scans/page1"])[0]
    assert (load_pixels(stored, "L") == np.asarray(PAGES[1])).all()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("page0.png,1.7,,", "the score 1.7 is not between 0 and 1"),
        ("page0.png,good,,", "the score 'good' is no number"),
        ("page0.png,nan,,", "the score nan is not between 0 and 1"),
        ("page0.png,,Superb,", "there is no class 'Superb': High, Good, Moderate, Poor, Very Poor"),
        ("page0.png,0.9,Poor,", "score 0.9 belongs to High, not to Poor"),
        ("page0.png,0.9,,smell", "there is no issue 'smell'"),
        ("nowhere.png,0.9,,", "no file nowhere.png in"),
        (",0.9,,", "no file name"),
        ("page0.png,,,", "neither score nor class nor issues"),
        ("page1.png,0.5,,", "page1 is named before, in row 2"),
        ("./page1.png,0.5,,", "page1 is named before, in row 2"),
        ("../elsewhere.png,0.5,,", "../elsewhere.png lies outside data/source/documents/scans"),
    ],
)
def test_a_row_that_cannot_be_used_is_rejected_with_the_reason(here: Path, row: str, reason: str) -> None:
    rejected = ingest("labelled", labelled(["page1.png,0.5,Moderate,", row]))
    (found,) = rejected["reason"]
    assert found.startswith(reason)
    assert len(table("ingest/pages.parquet")) == 1


def test_rows_with_issues_alone_are_kept_without_score_or_class(here: Path) -> None:
    ingest("labelled", labelled(["page0.png,,,blur", "page1.png,0.5,,"]))
    run("filter")
    run("label")
    labels = table("label/labels.parquet").set_index("image_id")
    assert labels["score"].isna().tolist() == labels["label"].isna().tolist() == [True, False]
    assert labels["issues"].tolist() == ["blur", ""]
    assert metrics("label")["rows_labelled"] == 2
    ingest("labelled", labelled(["page0.png,,,blur", "page1.png,,,glare"]))
    run("filter")
    with pytest.raises(TableError, match="no page has a score or a class"):
        run("label")


def test_documents_of_which_only_issues_are_known_are_for_training() -> None:
    pages = [f"{document}_p{page}" for document in range(30) for page in (1, 2)]
    documents = [page.partition("_")[0] for page in pages]
    known = pd.Series([number % 5 for number in range(60)], dtype="Int64")
    labels = pd.DataFrame(
        {"image_id": pages, "page": pages, "document": documents, "label": known, "official_split": None}
    )
    labels.loc[labels["image_id"].isin(["3_p1", "8_p1", "8_p2"]), "label"] = pd.NA
    for fold in range(4):
        params = DOCUMENTS.section("split", folds=4, fold=fold)
        side = split_images(labels, params, np.random.default_rng(1)).set_index("image_id")["split"]
        assert set(side[["3_p1", "3_p2", "8_p1", "8_p2"]]) == {"train"}
        assert side.value_counts().min() > 8
    with pytest.raises(TableError, match="no document has a score or a class of all its pages"):
        split_images(labels.assign(label=pd.NA), params, np.random.default_rng(1))
    official = labels.assign(official_split=np.where(labels["document"] == "3", "val", "train"))
    with pytest.raises(TableError, match="1 pages that their source has in val or test have neither score nor class"):
        split_images(official, DOCUMENTS.section("split"), np.random.default_rng(1))


def test_pages_of_a_document_are_on_one_side_whatever_they_show() -> None:
    pages = [f"{document}_p{page}" for document in range(40) for page in (1, 2, 3)]
    documents = pd.Series([page.partition("_")[0] for page in pages])
    known = pd.Series([number % 5 for number in range(120)], dtype="Int64")
    labels = pd.DataFrame(
        {"image_id": pages, "page": pages, "document": documents, "label": known, "official_split": None}
    )
    sides = split_images(labels, DOCUMENTS.section("split"), np.random.default_rng(1))["split"]
    assert sides.groupby(documents).nunique().eq(1).all()
    assert sides.nunique() == 3


@pytest.mark.parametrize(
    ("form", "make", "message"),
    [
        ("clean_pages", lambda: SOURCE / "nowhere", "does not exist"),
        ("labelled", lambda: SOURCE / "none.csv", "does not exist"),
        ("labelled", lambda: labelled([], header="picture,quality_score"), "has no column filename"),
        ("labelled", lambda: labelled([], header="filename,size"), "has no label"),
        ("labelled", lambda: labelled([]), "hold no row"),
    ],
)
def test_a_source_of_another_form_is_refused(here: Path, form: str, make: object, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        ingest(form, make())  # type: ignore[operator]


def test_folders_without_a_page_or_a_csv_are_refused(here: Path) -> None:
    (SOURCE / "void").mkdir()
    with pytest.raises(SourceError, match="holds no page"):
        ingest("clean_pages", SOURCE / "void")
    with pytest.raises(SourceError, match="holds 0 CSV files"):
        ingest("labelled", SOURCE / "void")


def test_blank_faint_and_repeated_pages_are_dropped(here: Path) -> None:
    folder = SOURCE / "clean"
    folder.mkdir()
    PAGES[0].save(folder / "a.png")
    PAGES[1].save(folder / "b.png")
    PAGES[0].point(lambda value: min(255, value + 5)).save(folder / "c_again.png")
    Image.new("L", (300, 420), 250).save(folder / "d_grey.png")
    speck = Image.new("L", (300, 420), 255)
    speck.putpixel((5, 5), 0)
    for place in range(130):
        speck.putpixel((10 + place, 60), 100)
    speck.save(folder / "e_blank.png")
    ingest("clean_pages", folder)
    run("filter", min_ink_share=0.002)
    dropped = table("filter/dropped.parquet").set_index("image_id")["rule"].to_dict()
    assert dropped == {"clean/c_again": "duplicate", "clean/d_grey": "unreadable", "clean/e_blank": "blank"}


def test_scans_of_one_page_with_other_labels_stay_and_share_page_and_side(here: Path) -> None:
    folder = labelled(["page0.png,0.9,,", "again.png,0.9,,", "faded.png,0.1,,low_contrast", "page1.png,0.5,,"])
    PAGES[0].point(lambda value: min(255, value + 5)).save(folder / "again.png")
    PAGES[0].point(lambda value: 250 - (255 - value) // 8).save(folder / "faded.png")
    ingest("labelled", folder)
    run("filter")
    assert table("filter/dropped.parquet")["image_id"].tolist() == ["scans/page0"]  # `again` comes before
    run("label")
    labels = table("label/labels.parquet").set_index("image_id")
    assert labels["page"].to_dict() == {
        "scans/again": "scans/again",
        "scans/faded": "scans/again",
        "scans/page1": "scans/page1",
    }
    pages = pd.DataFrame({"image_id": [f"{n:02}" for n in range(40)], "label": pd.array([0, 1] * 20, "Int64")})
    pages = pages.assign(document=pages["image_id"], page=[f"{n // 2}" for n in range(40)], official_split=None)
    sides = split_images(pages, DOCUMENTS.section("split"), np.random.default_rng(0))
    assert sides.groupby(pages["page"])["split"].nunique().eq(1).all()


def test_pages_that_were_seen_are_clean_pages_and_labelled_ones_themselves() -> None:
    """Of fillings of a form, whose page is the first one, each that was used is seen, not the first alone."""
    sources = {
        "a": "clean_pages",
        "b": "clean_pages",
        "c": "labelled",
        "c@7": "labelled",
        "d": "labelled",
        "e": "drawn",
    }
    pages = pd.DataFrame({"image_id": sources.keys(), "source": sources.values()})
    pages["perceptual_hash"] = [f"{n:064}" for n in range(len(pages))]
    pages["print_map"] = [f"{n:02}" for n in range(len(pages))]
    used = {"a@1": ("a", "train"), "b@1": ("a", "train"), "c": ("c", "test"), "c@7": ("c@7", "val")}
    used |= {"d": ("c", "train"), "e@1": ("e", "test")}
    labels = pd.DataFrame([(image, page) for image, (page, _) in used.items()], columns=["image_id", "page"])
    splits = pd.DataFrame([(image, side) for image, (_, side) in used.items()], columns=["image_id", "split"])
    found = seen_pages(labels, splits, [pages[:2], pages[2:], pages[:1]])
    seen = pages.set_index(["perceptual_hash", "print_map"])["image_id"]
    assert [seen[one.hex(), other.hex()] for one, other in found] == ["a", "b", "c@7", "d"]


def test_pages_that_were_seen_are_written_in_pieces_and_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SEEN_WRITTEN", 2)
    seen = [(bytes([number]) * 32, bytes([number, 0])) for number in range(5)]
    training.write_seen(tmp_path / "seen.parquet", seen, 28)
    found = read_table(tmp_path / "seen.parquet", Seen)
    columns = [map(bytes.fromhex, found[name]) for name in ("perceptual_hash", "print_map")]
    assert list(zip(*columns, strict=True)) == seen
    assert found["max_hash_distance"].eq(28).all()


def test_the_document_of_a_page_is_the_one_its_row_names(here: Path) -> None:
    header = "filename,quality_score,document"
    ingest("labelled", labelled(["page0.png,0.9,a", "page1.png,0.5,a", "page2.png,0.2,"], header))
    documents = table("ingest/pages.parquet")["document"].tolist()
    assert documents == ["scans/a", "scans/a", "scans/page2"]


def test_filter_warns_of_labelled_pages_that_are_few_or_uneven(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ingest("labelled", labelled(["page0.png,0.65,,", "page1.png,,Very Poor,", "page2.png,0.7,Good,"]))
    found = run("filter", min_class_samples=1, max_imbalance=1.5, min_train_samples=4)["warnings"]
    assert capfd.readouterr().err.splitlines()[-len(found) :] == found
    assert [name for name in definitions.CLASSES if any(f"class {name} has 0 " in line for line in found)] == [
        "High", "Moderate", "Poor",
    ]  # fmt: skip
    assert "the largest has 2 samples, the smallest 0, more than 1.5 to 1" in found[3]
    assert "at most 3 training samples are few (fewer than 4)" in found[4]
    assert len(found) == 5
    every = [f"page{number}.png,,{name}," for number, name in enumerate(definitions.CLASSES[:3])]
    ingest("labelled", labelled(every))
    assert run("filter", min_class_samples=0, max_imbalance=1e9, min_train_samples=3)["warnings"][1:] == []


def test_filter_leaves_warnings_of_clean_pages_to_the_stage_that_knows_their_classes(here: Path) -> None:
    ingest("clean_pages", clean_folder())
    assert run("filter")["warnings"] == []


@of_documents
def test_copies_of_a_page_and_pages_of_a_document_are_on_one_side(finished: Finished) -> None:
    root = finished.folder / "data/documents"
    labels, splits = (pd.read_parquet(root / name) for name in ("label/labels.parquet", "split/splits.parquet"))
    rows = labels.merge(splits[["image_id", "split"]], on="image_id", validate="one_to_one")
    assert rows.groupby("page")["split"].nunique().eq(1).all()
    assert rows.groupby("document")["split"].nunique().eq(1).all()
    sizes = rows.groupby("page").size()  # of pages that look alike together
    assert (sizes % DOCUMENTS.section("label").copies == 0).all()
    assert set(rows["split"]) == {"train", "val", "test"}


def test_validation_and_test_get_their_own_shares() -> None:
    pages = [f"{number:03}" for number in range(200)]
    label = pd.array([number % 5 for number in range(200)], "Int64")
    labels = pd.DataFrame({"image_id": pages, "page": pages, "document": pages, "label": label, "official_split": None})
    params = DOCUMENTS.section("split", val_share=0.3, test_share=0.1, folds=0)
    sides = split_images(labels, params, np.random.default_rng(0))["split"].value_counts()
    assert sides.to_dict() == {"train": 120, "val": 60, "test": 20}


@of_documents
def test_classes_are_weighed_by_the_training_side_alone(finished: Finished) -> None:
    root = finished.folder / "data/documents"
    labels, splits = (pd.read_parquet(root / name) for name in ("label/labels.parquet", "split/splits.parquet"))
    train = labels[labels["image_id"].isin(splits.loc[splits["split"] == "train", "image_id"])]
    counts = train["label"].value_counts().reindex(range(5), fill_value=0)
    table = pd.read_parquet(root / "weight/classes.parquet").set_index("label")
    assert table["samples"].tolist() == counts.tolist()
    assert table["weight"].tolist() == pytest.approx((len(train) / 5 / counts).tolist())


@of_documents
def test_labels_are_the_documented_score_of_the_severities(finished: Finished) -> None:
    root = finished.folder / "data/documents/label"
    labels = pd.read_parquet(root / "labels.parquet").set_index("image_id")
    severities = pd.read_parquet(root / "severities.parquet")
    wide = severities.pivot_table(index="image_id", columns="issue", values="severity").loc[labels.index]
    worst = wide.max(axis=1)
    score = 1 - (worst + 0.25 * (wide.sum(axis=1) - worst)).clip(upper=1)
    assert labels["score"].to_numpy() == pytest.approx(score.to_numpy())
    assert (labels["label"] == (4 - np.floor(score * 5 + 1e-9)).clip(lower=0)).all()
    flagged = severities["severity"] >= DOCUMENTS.section("common").flag_from
    assert (severities["flagged"].eq(1) == flagged).all()


@of_documents
def test_the_number_of_cores_changes_no_byte(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    outputs = sorted(Path("data/documents/label").iterdir())
    before = {file.name: file.read_bytes() for file in outputs}
    for cores in ({0}, {0, 1, 2, 3, 4}):
        monkeypatch.setattr("winnow.pipeline.parallel.cores", lambda cores=cores: len(cores))
        run("label")
        assert {file.name: file.read_bytes() for file in outputs} == before


@of_documents
def test_effects_say_nothing_of_the_class_and_no_two_copies_are_the_same(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    run("label", copies=20, clean_share=0.2, augmentation_share=0.4)
    labels = table("label/labels.parquet")
    augmentations, clean = labels["augmentations"] != "", labels["score"] == 1
    assert augmentations.mean() == pytest.approx(0.4, abs=0.06)
    assert labels["label"].value_counts().to_numpy() == pytest.approx([len(labels) / 5] * 5, abs=2)
    for known in (clean, labels["label"]):
        assert chi2_contingency(pd.crosstab(known, augmentations)).pvalue > 0.01, pd.crosstab(known, augmentations)
    images = read_images(Path("data/documents/label/images.arrow"))
    assert len(set(images.select(labels["image_id"]))) == len(labels)


def test_all_data_stages_run_on_labelled_pages(here: Path) -> None:
    rng = np.random.default_rng(0)
    folder = SOURCE / "scans"
    folder.mkdir()
    rows = ["filename,quality_class"]
    for number in range(25):
        kind = ("letter", "table", "form", "receipt", "bill_of_lading")[number % 5]
        Image.fromarray(draw_page(kind, 300, rng)).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{definitions.CLASSES[number % 5]}")
    (folder / "metadata.csv").write_text("\n".join(rows))
    ingest("labelled", folder)
    for name in DATA_STAGES[1:]:
        run(name)
    assert len(table("split/splits.parquet")) >= 20
    assert table("label/severities.parquet")["flagged"].isna().all()
    assert metrics("weight")["warnings"]
