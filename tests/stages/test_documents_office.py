"""What scanners, phones and office folders deliver: files of several pages, forms, blank and turned pages, scripts."""

import csv
import io
import json
import os
import shutil
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pypdfium2
import pytest
from PIL import Image
from pypdfium2 import raw
from typer.testing import CliRunner, Result

from benchmarks.documents.complaints import pdf_of
from tests.stages.conftest import Finished, torch_restored
from tests.stages.programs import Programs
from winnow.cli import app
from winnow.domains.documents import cli, inference
from winnow.domains.documents.definitions import Preparation
from winnow.domains.documents.evaluation import own_pages
from winnow.domains.documents.rules.ink import direction, ink_mask
from winnow.domains.documents.source import collect
from winnow.domains.documents.source.files import documents_of, named_files
from winnow.domains.documents.source.pages import each_page, fit, open_pages, read_pages
from winnow.domains.documents.source.records import Record
from winnow.domains.documents.source.synthetic import draw_page
from winnow.images.codec import ImageError, encode_png
from winnow.images.opencv import cv2
from winnow.pipeline.errors import WinnowError

DOCUMENTS = Programs.tiny("documents")
run, table = DOCUMENTS.run, DOCUMENTS.table
LETTER, FORM, TABLE = (draw_page(kind, 500, np.random.default_rng(1)) for kind in ("letter", "form", "table"))
AS_IS = Preparation(2000, 120)


@pytest.fixture
def here(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy of a trained checkout, as the working folder."""
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    with torch_restored():
        yield tmp_path


of_documents = pytest.mark.parametrize("finished", ["documents"], indirect=True)


def winnow(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments)


def printed(monkeypatch: pytest.MonkeyPatch, encoding: str, *arguments: str) -> str:
    """What the console entry writes on a terminal of this encoding."""
    terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", terminal)
        patch.setattr("sys.argv", ["winnow", "documents", *arguments])
        with pytest.raises(SystemExit):
            app.main()
    terminal.seek(0)
    return terminal.read()


def lines(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in winnow("assess", *arguments, "--json").stdout.splitlines()]


def saved(pages: list[np.ndarray], form: str, **options: Any) -> bytes:
    images = [Image.fromarray(page) for page in pages]
    buffer = io.BytesIO()
    images[0].save(buffer, form, save_all=True, append_images=images[1:], **options)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["TIFF", "GIF", "WEBP"])
def test_every_page_of_a_file_of_several_is_read(form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    content = saved([LETTER, FORM, TABLE], form, **options)
    pages = read_pages(content, f".{form.lower()}", AS_IS)
    assert len(pages) == 3
    for page, true in zip(pages, (LETTER, FORM, TABLE), strict=True):
        assert np.abs(page.astype(int) - true).mean() < 1
    with pytest.raises(ImageError):
        read_pages(content[: len(content) // 2], f".{form.lower()}", AS_IS)


def test_a_scan_in_a_pdf_is_taken_as_it_is_and_a_turned_one_at_its_own_resolution() -> None:
    (page,) = read_pages(pdf_of(LETTER), ".pdf", AS_IS)
    assert (page == LETTER).all()
    (turned,) = read_pages(pdf_of(LETTER, angle=90), ".pdf", AS_IS)
    assert turned.shape == pytest.approx(LETTER.shape[::-1], abs=2)  # not 120 dots per inch
    straight = cv2.resize(np.rot90(turned).copy(), LETTER.shape[::-1])
    assert np.abs(straight.astype(int) - LETTER).mean() < 8


def test_pages_of_a_file_that_are_jpeg_are_decoded_and_not_encoded_again() -> None:
    content = saved([LETTER, FORM, TABLE], "TIFF", compression="jpeg")
    with Image.open(io.BytesIO(content)) as image:
        for number, page in enumerate(read_pages(content, ".tif", AS_IS)):
            image.seek(number)
            assert (page == np.asarray(image.convert("RGB").convert("L"))).all()


def test_of_a_scan_in_a_pdf_no_more_is_taken_than_its_crop_box_shows() -> None:
    """Also of a page with so little on it that both look alike from afar."""
    page = np.full((1400, 1000), 255, np.uint8)
    page[1000:1020, 200:800] = 0
    document = pypdfium2.PdfDocument(pdf_of(page))
    left, bottom, right, top = document[0].get_mediabox()
    document[0].set_cropbox(left, (bottom + top) / 2, right, top)
    buffer = io.BytesIO()
    document.save(buffer)
    (upper,) = read_pages(buffer.getvalue(), ".pdf", AS_IS)
    assert upper.shape == pytest.approx((700, 1000), abs=2)
    assert upper.min() == 255


def test_colours_become_their_luminance_whatever_file_they_come_in() -> None:
    """ITU-R BT.601: red 76, green 150, blue 29; exchanged channels would turn red print into blue."""
    page = np.full((400, 300, 3), 255, np.uint8)
    for channel, row in enumerate((50, 150, 250)):
        page[row : row + 50] = 255 * np.eye(3, dtype=np.uint8)[channel]
    files = [(encode_png(page), ".png"), (saved([page, page], "TIFF"), ".tif"), (pdf_of(page), ".pdf")]
    for content, suffix in files:
        for grey in read_pages(content, suffix, AS_IS):
            assert grey[[75, 175, 275], 150] == pytest.approx(np.array([76, 150, 29]), abs=1), suffix


def test_a_page_that_cannot_be_read_loses_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("winnow.images.pdf.MAX_PIXELS", 2_000_000)
    document = pypdfium2.PdfDocument.new()
    for side in (100, 100_000, 200):
        document.new_page(side, side)
    buffer = io.BytesIO()
    document.save(buffer)
    small = [np.full((side, side), 255, np.uint8) for side in (100, 20, 200)]
    first, second = each_page(open_pages(saved([small[1], small[2]], "TIFF"), ".tif", AS_IS).pages)
    assert isinstance(first, ImageError), "nor does the first one"
    assert second.shape == (200, 200)
    for content, suffix, why in ((buffer.getvalue(), ".pdf", "too large"), (saved(small, "TIFF"), ".tif", "too small")):
        count, pages = open_pages(content, suffix, Preparation(2000, 72))
        assert (count, next(pages).shape) == (3, (100, 100))
        with pytest.raises(ImageError, match=why):
            next(pages)
        assert next(pages).shape == (200, 200)


def test_a_tiff_that_is_broken_off_keeps_its_whole_pages() -> None:
    content = saved([LETTER, FORM, TABLE], "TIFF", compression="tiff_lzw")
    last = content.rindex(b"\x00\x01\x03\x00\x01\x00\x00\x00")  # its width
    count, pages = open_pages(content[: last - 100], ".tif", AS_IS)
    *whole, missing = each_page(pages)
    assert [page.shape for page in whole if not isinstance(page, ImageError)] == [LETTER.shape, FORM.shape]
    assert (count, str(missing)) == (3, "page 3 and what follows are missing: the file is broken off")


def test_a_page_of_a_tiff_that_is_of_an_unknown_kind_loses_no_other() -> None:
    content = saved([LETTER, FORM, TABLE], "TIFF")
    compression = b"\x03\x01\x03\x00\x01\x00\x00\x00"
    one, two, three, four = content.split(compression)
    damaged = compression.join([one, two, b"\x99\x99" + three[2:], four])
    count, pages = open_pages(damaged, ".tif", AS_IS)
    first, second, third = each_page(pages)
    assert count == 3
    assert isinstance(second, ImageError)
    assert not isinstance(first, ImageError)
    assert not isinstance(third, ImageError)


def test_a_fax_has_square_pixels() -> None:
    """Of 204 dots and 98 lines an inch: its letters would be half as high as they are."""
    (page,) = read_pages(saved([LETTER[::2]], "TIFF", dpi=(204, 98)), ".tif", AS_IS)
    assert page.shape == pytest.approx((len(LETTER[::2]) * 204 / 98, LETTER.shape[1]), abs=1)
    (fine,) = read_pages(saved([LETTER], "TIFF", dpi=(204, 196)), ".tif", AS_IS)
    assert (fine == LETTER).all()


def test_nothing_in_a_folder_is_passed_over_in_silence_or_found_twice(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "page.png").write_bytes(encode_png(LETTER))
    (tmp_path / "again").symlink_to("inner")
    (tmp_path / "inner" / "around").symlink_to("..")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    found = named_files([tmp_path])
    assert found.pages == [tmp_path / "inner" / "page.png"]
    assert found.others == [tmp_path / "gone.png", tmp_path / "pipe.png"]
    assert {"1 link to nothing", "1 no file"} <= set(found.passed_over().partition(": ")[2].split(", "))
    with pytest.raises(WinnowError, match="can be read twice"):
        named_files([tmp_path / "pipe.png"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "link").symlink_to(tmp_path / "inner")
    assert named_files([elsewhere]).pages == [elsewhere / "link" / "page.png"]


@of_documents
def test_a_bad_page_or_name_stops_no_other(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("scans")
    folder.mkdir()
    (folder / "three.tif").write_bytes(saved([LETTER, LETTER[:20, :20], TABLE], "TIFF"))
    (folder / os.fsdecode(b"\xff.png")).write_bytes(encode_png(FORM))
    result = winnow("assess", "scans", "--json")
    assert result.exit_code == 4
    entries = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(entry["page"], entry["pages"], "error" in entry) for entry in entries] == [
        (1, 3, False), (2, 3, True), (3, 3, False), (1, 1, False),
    ]  # fmt: skip
    assert [entry["document_verdict"] for entry in entries] == ["error"] * 3 + [entries[3]["verdict"]]
    rows = list(csv.DictReader(io.StringIO(printed(monkeypatch, "utf-8", "assess", "scans", "--csv"))))
    assert [row["verdict"] for row in rows] == [entry.get("verdict", "") for entry in entries]


def test_the_pages_of_a_file_are_limited_together_and_decoded_beside_those_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = saved([LETTER, FORM, TABLE], "TIFF")
    claimed: list[int] = []
    monkeypatch.setattr("winnow.images.memory.claim", claimed.append)
    read_pages(content, ".tif", AS_IS)
    assert claimed == [page.size for page in (LETTER, FORM, TABLE)], "threads decode more than fits in memory"
    record = Record(0, "three", tmp_path / "three.tif")
    (tmp_path / "three.tif").write_bytes(content)
    sizes = [len(each[0]) for each in collect._read(record, AS_IS) if isinstance(each, tuple)]
    for name, limit in (("collect.MAX_BYTES", sum(sizes)), ("pages.MAX_TOGETHER", 3 * LETTER.size)):
        for allowed in (limit, limit - 1):
            monkeypatch.setattr(f"winnow.domains.documents.source.{name}", allowed)
            with pytest.raises(ImageError, match="split the file") if allowed < limit else nullcontext():
                collect._read(record, AS_IS) if "BYTES" in name else read_pages(content, ".tif", AS_IS)


def test_pages_are_at_most_a_hundred_times_as_long_as_wide() -> None:
    """A banner of a few kilobytes took minutes and gigabytes to be measured."""
    assert fit(np.full((7000, 70), 255, np.uint8), 2000).shape == (7000, 70)
    for shape in ((7100, 70), (70, 7100)):
        with pytest.raises(ImageError, match="too long"):
            fit(np.full(shape, 255, np.uint8), 2000)


@of_documents
def test_names_that_a_system_or_a_script_does_not_take_stop_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "n" * 249 + "ü"  # 255 bytes with its suffix
    Path(f"{name}.png").write_bytes(encode_png(LETTER))
    (entry,) = lines(f"{name}.png", "--explain", "heat")
    assert Path(entry["explained"]).is_file()
    assert "n\\xfc.png" in printed(monkeypatch, "ascii", "assess", f"{name}.png", "--csv")


@of_documents
def test_files_of_one_name_without_a_number_are_documents_of_their_own(here: Path) -> None:
    folder = Path("scans")
    folder.mkdir()
    (folder / "bill.png").write_bytes(encode_png(LETTER))
    (folder / "bill.tif").write_bytes(saved([LETTER, TABLE], "TIFF"))
    (folder / "note_p1.png").write_bytes(encode_png(LETTER))
    (folder / "note_p2.tif").write_bytes(saved([LETTER], "TIFF"))
    found = {entry["file"]: (entry["document"], entry["document_pages"]) for entry in lines("scans")}
    assert found == {
        "scans/bill.png": ("scans/bill.png", 1), "scans/bill.tif": ("scans/bill.tif", 2),
        "scans/note_p1.png": ("scans/note", 2), "scans/note_p2.tif": ("scans/note", 2),
    }  # fmt: skip


def test_scans_of_one_page_in_two_files_are_of_its_document() -> None:
    files = [Path("bill_p1.png"), Path("bill_p1.tif"), Path("bill_p2.png")]
    assert set(inference._documents(files).values()) == {"bill"}


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "page.png").write_bytes(encode_png(LETTER))
    real = os.scandir

    def refused(place: Any) -> Any:
        if Path(place).name == "closed":
            raise PermissionError(13, "Permission denied", str(place))
        return real(place)

    monkeypatch.setattr(os, "scandir", refused)
    found = named_files([tmp_path])
    assert found.others == [tmp_path / "closed"]
    assert "1 folder that cannot be listed" in found.passed_over()


def test_ingest_uses_the_pages_of_a_file_that_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("data/source/documents/scans")
    folder.mkdir(parents=True)
    (folder / "three.tif").write_bytes(saved([LETTER[:20, :20], LETTER, TABLE], "TIFF"))
    run("ingest", sources=[{"format": "clean_pages", "path": str(folder)}])
    assert table("ingest/pages.parquet")["image_id"].tolist() == ["scans/three#0002", "scans/three#0003"]
    (rejected,) = table("ingest/rejected.parquet").itertuples()
    assert (rejected.row, rejected.name) == (0, "three#0001")
    assert "too small" in rejected.reason


@of_documents
def test_evaluate_judges_the_pages_that_can_be_read_and_numbers_alone_make_no_document(here: Path) -> None:
    folder = Path("mine")
    folder.mkdir()
    (folder / "page-1.tif").write_bytes(saved([LETTER[:20, :20], LETTER], "TIFF"))
    (folder / "page-2.png").write_bytes(encode_png(TABLE))
    (folder / "metadata.csv").write_text("filename,quality_score\npage-1.tif,0.3\npage-2.png,0.9\n")
    found = json.loads(winnow("evaluate", "mine", "--json").stdout)
    assert found["pages"] == {"in_source": 3, "rejected": 1, "seen_in_training": 0, "judged": 2}
    assert found["reasons"][0].startswith("page-1: too small"), "of which file"
    assert found["documents"] == 2, "as in ingest"
    assert "mae" in found["intervals"]


def test_a_pdf_with_a_password_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """No library here can lock a file: what PDFium answers for one that is locked."""

    def locked(_: bytes) -> None:
        raise pypdfium2.PdfiumError("Incorrect password error", raw.FPDF_ERR_PASSWORD)

    monkeypatch.setattr(pypdfium2, "PdfDocument", locked)
    with pytest.raises(ImageError, match="protected by a password"):
        read_pages(b"%PDF", ".pdf", AS_IS)


def test_long_receipts_keep_the_size_of_their_text() -> None:
    strip = np.full((6000, 700), 255, np.uint8)
    assert fit(strip, 2000).shape == strip.shape
    assert fit(np.full((3000, 2121), 255, np.uint8), 2000).shape == (2000, 1414)  # A4
    assert fit(np.full((3000, 3000), 255, np.uint8), 2000).shape == (2000, 2000)
    assert fit(np.full((60000, 1000), 255, np.uint8), 2000).size <= 4.01 * 2000 * 1414


def test_numbers_count_pages_where_they_may() -> None:
    names = ["a/report-1", "a/report_002", "a/report (3)", "b/bill_p2", "b/bill_p7", "IMG_1", "IMG_2", "x/scan-1"]
    names += ["x/scan-2", "year_2021", "year_2022", "far_1", "far_40", "Bill-1", "bill-2", "NOTE_P1", "note_p2"]
    found = documents_of(names)
    assert {name for name, document in found.items() if document == "a/report"} == {
        "a/report-1", "a/report_002", "a/report (3)",
    }  # fmt: skip
    assert found["b/bill_p2"] == found["b/bill_p7"] == "b/bill"
    assert found["Bill-1"] == found["bill-2"] != "bill-2"
    assert found["NOTE_P1"] == found["note_p2"]
    alone = ["IMG_1", "IMG_2", "x/scan-1", "x/scan-2", "year_2021", "year_2022", "far_1", "far_40"]
    assert {name: found[name] for name in alone} == {name: name for name in alone}
    for kind in ([f"invoice-{number:04}" for number in range(1, 10_000)], ["post/2026-11-01", "post/2026-11-02"],
                 ["order-P10021", "order-P10022"]):  # fmt: skip
        assert len(set(documents_of(kind).values())) == len(kind), f"{kind[0]} is a document"
    assert set(documents_of([f"book-{number}" for number in range(500)]).values()) == {"book"}
    assert set(documents_of(["post_2026-11-01_1", "post_2026-11-01_2"]).values()) == {"post_2026-11-01"}


def test_a_source_whose_files_are_numbered_is_not_one_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("data/source/documents/clean")
    folder.mkdir(parents=True)
    for number, page in enumerate((LETTER, FORM, TABLE)):
        Image.fromarray(page).save(folder / f"invoice-{number}.png")
    run("ingest", sources=[{"format": "clean_pages", "path": str(folder)}])
    assert table("ingest/pages.parquet")["document"].nunique() == 3
    Image.fromarray(LETTER).save(folder / "other.png")
    run("ingest", sources=[{"format": "clean_pages", "path": str(folder)}])
    assert table("ingest/pages.parquet")["document"].nunique() == 2


def fillings(count: int) -> list[np.ndarray]:
    rng, forms = np.random.default_rng(5), []
    for _ in range(count):
        form = FORM.copy()
        for row in range(12):
            word = str(rng.integers(10**6, 10**7))[: int(rng.integers(2, 8))] * int(rng.integers(1, 3))
            cv2.putText(form, word, (30, 40 + 50 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 10, 1, cv2.LINE_AA)
        forms.append(form)
    return forms


@pytest.mark.parametrize("form", ["clean_pages", "labelled"])
def test_fillings_of_a_form_are_kept_on_one_side_and_a_file_twice_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("data/source/documents/forms")
    folder.mkdir(parents=True)
    forms = fillings(6)
    for number, page in enumerate(forms):
        Image.fromarray(page).save(folder / f"f{number}.png")
    Image.fromarray(forms[2]).save(folder / "g.jpg", quality=80)
    names = sorted(file.name for file in folder.iterdir())
    (folder / "metadata.csv").write_text("\n".join(["filename,quality_score", *(f"{name},0.9" for name in names)]))
    run("ingest", sources=[{"format": form, "path": str(folder)}])
    run("filter")
    assert table("filter/dropped.parquet")["image_id"].tolist() == ["forms/g"]
    run("label")
    assert table("label/labels.parquet")["page"].eq("forms/f0").all()


@of_documents
def test_another_filling_of_a_form_that_was_learnt_is_not_seen(here: Path) -> None:
    folder = Path("forms")
    folder.mkdir()
    first, second, *_ = fillings(2)
    seen = pd.DataFrame(
        {
            "perceptual_hash": [own_pages.page_hash(first)],
            "print_map": [own_pages.print_map(first).hex()],
            "max_hash_distance": 28,
        }
    )
    Image.fromarray(first).save("again.jpg", quality=80)
    again = read_pages(Path("again.jpg").read_bytes(), ".jpg", AS_IS)
    assert own_pages._unseen([first, *again], seen) == []
    assert len(own_pages._unseen([second], seen)) == 1
    other = {"perceptual_hash": own_pages.page_hash(second), "print_map": own_pages.print_map(second).hex()}
    both = pd.concat([pd.DataFrame([{**other, "max_hash_distance": 28}]), seen], ignore_index=True)
    assert own_pages._unseen([first, second], both) == [], "every filling that was learnt, not the nearest alone"


@pytest.mark.parametrize("kind", ["letter", "form", "table"])
def test_the_direction_of_a_page_is_found(kind: str) -> None:
    page = draw_page(kind, 900, np.random.default_rng(2))
    for quarter in range(4):
        turned = np.ascontiguousarray(np.rot90(page, -quarter))
        assert direction(ink_mask(turned)) in {90 * quarter, 0}
    if kind == "letter":
        assert [direction(ink_mask(np.ascontiguousarray(np.rot90(page, -quarter)))) for quarter in range(4)] == [
            0, 90, 180, 270,
        ]  # fmt: skip
    assert direction(ink_mask(np.full((400, 300), 255, np.uint8))) == 0


@of_documents
def test_turned_pages_are_told_and_judged_upright_when_asked(here: Path) -> None:
    page = draw_page("letter", 900, np.random.default_rng(2))
    for quarter in range(4):
        Path(f"t{quarter}.png").write_bytes(encode_png(np.ascontiguousarray(np.rot90(page, -quarter))))
    files = [f"t{quarter}.png" for quarter in range(4)]
    told = lines(*files)
    assert [entry["turned"] for entry in told] == [0, 90, 180, 270]
    ways = ["90° clockwise", "upside down", "90° counter-clockwise"]
    for entry, way in zip(told[1:], ways, strict=True):
        assert f"the page is turned {way} (`--turn` judges it upright)" in entry["reasons"]
    assert not any("turned" in reason for reason in told[0]["reasons"])
    assert all("`--turn`" in entry["reasons"][-1] for entry in told[1:])
    assert [entry["text_height"] for entry in told] == [told[0]["text_height"]] * 4
    upright = lines(*files, "--turn")
    assert [entry["score"] for entry in upright] == [upright[0]["score"]] * 4
    assert told[0]["score"] == upright[0]["score"]
    assert [any("upright" in reason for reason in entry["reasons"]) for entry in upright] == [False, True, True, True]
    assert not any("`--turn`" in reason for entry in upright for reason in entry["reasons"]), "it is given"


@of_documents
def test_blank_pages_and_small_text_have_verdicts_of_their_own(here: Path) -> None:
    rng = np.random.default_rng(0)
    paper = np.rint(rng.normal(240, 3, (700, 500))).clip(0, 255).astype(np.uint8)
    page = draw_page("letter", 900, rng)
    small = cv2.resize(page, None, fx=0.35, fy=0.35, interpolation=cv2.INTER_AREA)
    faint = (250 - (255 - page) // 6).astype(np.uint8)
    for name, picture in {"paper": paper, "small": small, "faint": faint}.items():
        Path(f"{name}.png").write_bytes(encode_png(picture))
    found = {entry["file"]: entry for entry in lines("paper.png", "small.png", "faint.png")}
    assert found["paper.png"]["verdict"] == "blank"
    assert found["small.png"]["verdict"] == "retake"
    assert "text is too small" in found["small.png"]["reasons"][0]
    assert found["small.png"]["text_height"] < 8
    assert found["faint.png"]["verdict"] != "blank"


def of(names: list[str]) -> list[str]:
    return [part for name in names for part in ("--fail-on", name)]


@pytest.mark.parametrize(
    ("verdict", "failing"),
    [("retake", {"retake", "warn"}), ("warn", {"warn"}), ("blank", {"blank"}), ("accept", set())],
)
def test_a_page_fails_on_what_is_named_and_a_retake_on_warn_too(verdict: str, failing: set[str]) -> None:
    codes = {name: cli.exit_code(Counter([verdict]), [name], interrupted=False) for name in cli.Failing}
    assert {name for name, code in codes.items() if code == 3} == failing


@of_documents
def test_the_limits_of_a_verdict_can_be_named(here: Path) -> None:
    Path("page.png").write_bytes(encode_png(LETTER))
    (found,) = json_lines(winnow("assess", "page.png", "--json"))
    score, height = found["score"], found["text_height"]
    for options, verdict, reason in (
        (["--retake-below", "1"], "retake", "is below the retake threshold 1"),
        (["--retake-below", "0", "--accept-from", "1"], "warn", "is below 1"),
        (["--retake-below", "0", "--accept-from", "0", "--warn-severity", "1"], "accept", "is 0.00 or above"),
        (["--retake-below", "0", "--accept-from", "0", "--warn-severity", "0"], "warn", "(severity"),
        (["--min-text-height", str(height + 1)], "retake", "text is too small"),
    ):
        (one,) = json_lines(winnow("assess", "page.png", "--json", "--min-text-height", "0", *options))
        assert (one["verdict"], one["score"]) == (verdict, score), options
        assert reason in one["reasons"][0], options
    assert json_lines(winnow("assess", "page.png", "--json")) == [found], "the model keeps its own"


def json_lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@of_documents
def test_assess_prints_as_it_goes_and_speaks_to_scripts(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("scans")
    folder.mkdir()
    (folder / "bill-1.png").write_bytes(encode_png(LETTER))
    (folder / "bill-2.png").write_bytes(encode_png(np.full((700, 500), 255, np.uint8)))
    (folder / "two.tif").write_bytes(saved([LETTER, TABLE], "TIFF"))
    (folder / "notes.docx").write_text("x")
    result = winnow("assess", "scans", "--json")
    assert result.exit_code == 0
    assert "1 .docx" in result.stderr
    assert "4 pages of 3 files" in result.stderr
    entries = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(Path(entry["file"]).name, entry["page"], entry["pages"]) for entry in entries] == [
        ("bill-1.png", 1, 1), ("bill-2.png", 1, 1), ("two.tif", 1, 2), ("two.tif", 2, 2),
    ]  # fmt: skip
    assert [entry["document"] for entry in entries] == ["scans/bill"] * 2 + ["scans/two"] * 2
    assert entries[0]["verdict"] != "blank" == entries[1]["verdict"]
    order = ["retake", "warn", "accept"]
    worst = [entries[0]["verdict"], min((entry["verdict"] for entry in entries[2:]), key=order.index)]
    assert [entry["document_verdict"] for entry in entries] == [worst[0]] * 2 + [worst[1]] * 2
    assert {entry["document_pages"] for entry in entries} == {2}
    rows = list(csv.DictReader(io.StringIO(winnow("assess", "scans", "--csv").stdout)))
    assert [(row["file"], row["verdict"], float(row["score"])) for row in rows] == [
        (entry["file"], entry["verdict"], entry["score"]) for entry in entries
    ]
    assert [(row["reasons"], row["issues"]) for row in rows] == [
        ("; ".join(entry["reasons"]), "; ".join(f"{name} {value:.2f}" for name, value in entry["issues"].items()))
        for entry in entries
    ]
    assert any(row["issues"] != row["reasons"] for row in rows)
    assert [row["document_verdict"] for row in rows] == [worst[0]] * 2 + [worst[1]] * 2
    small = encode_png(cv2.resize(LETTER, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA))
    (folder / "small.png").write_bytes(small)
    assert winnow("assess", "scans", "--fail-on", "retake").exit_code == 3
    assert winnow("assess", "scans").exit_code == 0
    blank = "scans/bill-2.png"
    told = winnow("assess", blank)
    assert told.stdout == f"{blank}: BLANK\n    nothing is printed on the page\n", "a score of nothing"
    assert "1 page of 1 file: " in told.stderr
    assert [winnow("assess", blank, *of(names)).exit_code for names in (["warn"], ["blank"], ["retake", "blank"])] == [
        0, 3, 3,
    ]  # fmt: skip
    (folder / "zero.png").touch()
    assert [winnow("assess", *arguments).exit_code for arguments in (
        ("scans",), ("scans", "--fail-on", "retake"), ("scans/zero.png", "scans/two.tif", "--fail-on", "retake"),
    )] == [4, 5, 4 + ("retake" in {entry["verdict"] for entry in entries[2:]})]  # fmt: skip
    (folder / "zero.png").unlink()

    real = inference.assess_files

    def stopped(*arguments: Any) -> Any:
        found = real(*arguments)
        yield next(found)
        raise KeyboardInterrupt

    monkeypatch.setattr(inference, "assess_files", stopped)
    result = winnow("assess", "scans", "--json")
    assert result.exit_code == 130
    assert len(result.stdout.splitlines()) == 1
    assert "stopped: 1 page of" in result.stderr


@of_documents
def test_the_class_that_is_shown_is_that_of_the_score_and_its_parts_are_not_below_it(here: Path) -> None:
    rng = np.random.default_rng(3)
    for number in range(8):
        page = draw_page(("letter", "form", "table", "receipt")[number % 4], 400, rng)
        Path(f"{number}.png").write_bytes(encode_png((255 - (255 - page) // (1 + number)).astype(np.uint8)))
    for entry in lines(*(f"{number}.png" for number in range(8))):
        assert min(entry["legibility"], entry["framing"]) >= entry["score"] - 1e-4
        lowest = {"High": 0.8, "Good": 0.6, "Moderate": 0.4, "Poor": 0.2, "Very Poor": 0.0}[entry["class"]]
        assert lowest <= entry["score"] < lowest + 0.2 + 1e-9 or entry["score"] == 1


@of_documents
def test_every_page_of_a_labelled_pdf_is_judged(here: Path) -> None:
    folder = Path("mine")
    folder.mkdir()
    (folder / "both.pdf").write_bytes(saved([LETTER, TABLE], "PDF"))
    (folder / "form.png").write_bytes(encode_png(FORM))
    (folder / "metadata.csv").write_text("filename,quality_score\nboth.pdf,0.3\nform.png,0.9\n")
    result = winnow("evaluate", "mine", "--json")
    found = json.loads(result.stdout)
    assert found["pages"]["judged"] == 3, "`evaluate` lost a page of a labelled PDF"
    scores = [entry["score"] for entry in lines("mine/both.pdf", "mine/form.png")]
    assert len(scores) == 3, "`assess` lost a page of a PDF"
    assert abs(scores[0] - scores[1]) > 0.005, "the second page of a PDF is judged as the first"
    errors = np.abs(np.array(scores) - [0.3, 0.3, 0.9])
    assert found["metrics"]["mae"] == pytest.approx(errors.mean(), abs=1e-3), (
        "`evaluate` judges other pages than `assess`, such as the first of a PDF twice"
    )
    assert found["documents"] == 2
    assert found["unacceptable"] == 2
    bounds = found["intervals"]["mae"]
    assert bounds["low"] <= found["metrics"]["mae"] <= bounds["high"]
    assert bounds["low"] == pytest.approx(min(errors[:2].mean(), errors[2]), abs=1e-3)  # over documents
    shown = winnow("evaluate", "mine").stdout
    assert "1 acceptable and 2 other pages of 2 documents" in shown
    assert f"{bounds['low']:.3f} to {bounds['high']:.3f}" in shown


@of_documents
def test_evaluate_rejects_below_the_threshold_that_the_model_carries(here: Path) -> None:
    folder = Path("mine")
    folder.mkdir()
    faded = (250 - (255 - TABLE) // 5).astype(np.uint8)
    for name, page in (("one", LETTER), ("other", faded)):
        (folder / f"{name}.png").write_bytes(encode_png(page))
    scores = {Path(entry["file"]).stem: entry["score"] for entry in lines("mine")}
    lower, higher = sorted(scores, key=lambda name: scores[name])
    assert scores[higher] - scores[lower] > 0.001
    rows = [f"{lower}.png,0.9", f"{higher}.png,0.1"]  # the worse page is the better one, so that both figures differ
    (folder / "metadata.csv").write_text("\n".join(["filename,quality_score", *rows, ""]))
    file = Path("data/documents/train/model/calibration.json")
    kept = json.loads(file.read_text())
    middle = (scores[lower] + scores[higher]) / 2
    for threshold, expected in ((0.0, (0, 0)), (middle, (1, 0)), (1.0, (1, 1))):
        file.write_text(json.dumps({**kept, "retake_below": threshold}))
        found = json.loads(winnow("evaluate", "mine", "--json").stdout)["metrics"]
        assert (found["false_reject_error"], found["retake_recall"]) == expected


@of_documents
def test_acceptable_pages_that_are_sent_back_for_small_text_are_counted(here: Path) -> None:
    folder = Path("mine")
    folder.mkdir()
    page = draw_page("letter", 900, np.random.default_rng(0))
    small = cv2.resize(page, None, fx=0.35, fy=0.35, interpolation=cv2.INTER_AREA)
    for name, picture in {"small": small, "page": page, "bad": small[:, ::-1]}.items():
        (folder / f"{name}.png").write_bytes(encode_png(np.ascontiguousarray(picture)))
    (folder / "metadata.csv").write_text("filename,quality_score\nsmall.png,0.9\npage.png,0.9\nbad.png,0.1\n")
    file = Path("data/documents/train/model/calibration.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "retake_below": 0.0}))
    assert [entry["verdict"] for entry in lines("mine")].count("retake") == 2
    found = json.loads(winnow("evaluate", "mine", "--json").stdout)
    assert (found["acceptable_sent_back"], found["acceptable"]) == (1, 2)
    assert "retake for 1 acceptable pages" in winnow("evaluate", "mine").stdout


@of_documents
def test_pages_that_a_column_names_as_one_document_count_as_one(here: Path) -> None:
    folder = Path("mine")
    folder.mkdir()
    for name, page in (("first", LETTER), ("other", TABLE), ("form", FORM)):
        (folder / f"{name}.png").write_bytes(encode_png(page))
    rows = ["first.png,0.3,lease", "other.png,0.3,lease", "form.png,0.9,form"]
    (folder / "metadata.csv").write_text("\n".join(["filename,quality_score,document", *rows, ""]))
    found = json.loads(winnow("evaluate", "mine", "--json").stdout)
    scores = [entry["score"] for entry in lines("mine/first.png", "mine/other.png", "mine/form.png")]
    errors = np.abs(np.array(scores) - [0.3, 0.3, 0.9])
    assert found["documents"] == 2
    assert found["intervals"]["mae"]["low"] == pytest.approx(min(errors[:2].mean(), errors[2]), abs=1e-3)
    assert errors[:2].mean() - errors[:2].min() > 0.01, "one page a document would have another bound"
