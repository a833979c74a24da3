"""The pages that documents is measured on, from their publishers: `python -m benchmarks.documents.prepare`.

clean/: one page each of public PDF files. real/: pages with scanned stains and folds over them beside their clean
twins, and receipts with the word F1 of an OCR. Which pages is said by the names in SHA256SUMS. Needs the programs
`pdftoppm` and `tesseract` (Debian: poppler-utils, tesseract-ocr); other versions of them give slightly other pages.
"""

import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.documents.ocr import word_f1
from benchmarks.fetching import check, expected, new_folder, published

SIDE, RENDERED, RECEIPT = 1300, 1400, 1400
PUBLISHED = {
    "pdfplumber": ("jsvine/pdfplumber", "147f2c4c07dc1191fc1d05bb589b4f6af3aaf74a", "tests/pdfs", "examples/pdfs"),
    "tabula": ("tabulapdf/tabula-java", "2cdf3b4fd3f7e921dca8cc6814cdd9316be40f0f", "src/test/resources/technology"),
}

NOISY_OFFICE = ("TiagoLeite/SCC5830_ImageProcessing2019_FinalProject", "92d835d2c0b57b047a61b7b31b0b38580427597a")


def render(pdf: Path, page: str, target: Path) -> None:
    """A page in grey, its longer side 1,300 pixels."""
    pages = ["-f", page, "-l", page, "-singlefile"]
    command = ["pdftoppm", "-gray", "-png", "-scale-to", str(RENDERED), *pages, str(pdf), str(target.with_suffix(""))]
    subprocess.run(command, check=True)
    fitted(target, SIDE).save(target)


def fitted(file: Path, side: int) -> Image.Image:
    """The picture, made smaller where its longer side is more than `side`."""
    with Image.open(file) as image:
        image.load()
        factor = min(1.0, side / max(image.size))
        return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


def words_read(image: Path, mode: str) -> Counter[str]:
    command = ["tesseract", str(image), "-", "--psm", mode]
    return Counter(subprocess.run(command, capture_output=True, text=True, check=True).stdout.lower().split())


def root_mean_square(one: Path, other: Path) -> float:
    first, second = (np.asarray(Image.open(file).convert("L"), dtype=np.float64) / 255 for file in (one, other))
    return float(np.sqrt(np.mean((first - second) ** 2)))


def make_clean(target: Path, wanted: list[str]) -> None:
    target.mkdir()
    for prefix, (repository, commit, *paths) in PUBLISHED.items():
        with published(repository, commit, *paths) as folder:
            files = {f"{prefix}_{file.stem}".lower(): file for file in sorted(folder.rglob("*.pdf"))}
            for name in wanted:
                document, _, page = name.removesuffix(".png").rpartition("_p")
                if document in files:
                    render(files[document], page, target / name)


def noisy_pages(target: Path, wanted: list[str]) -> list[dict[str, object]]:
    rows = []
    with published(*NOISY_OFFICE, "data/train", "data/train_cleaned") as folder:
        for name in wanted:
            number = name.split("_")[1]
            noisy, clean = target / name, target / f"noisyoffice_{number}_clean.png"
            noisy.write_bytes((folder / f"data/train/{number}.png").read_bytes())
            clean.write_bytes((folder / f"data/train_cleaned/{number}.png").read_bytes())
            distance = round(root_mean_square(noisy, clean), 4)
            rows.append({"file": name, "kind": "noisyoffice_pair", "pair_clean": clean.name, "rmse_to_clean": distance})
    return rows


def receipts(target: Path, wanted: list[str]) -> list[dict[str, object]]:
    rows = []
    with published("zzzDavid/ICDAR-2019-SROIE", "27be4271b251c256f695acbade9a801bffe85994", "data") as folder:
        for name in wanted:
            number = Path(name).stem.removeprefix("sroie_")
            fitted(folder / f"data/img/{number}.jpg", RECEIPT).save(target / name, quality=92)
            lines = (folder / f"data/box/{number}.csv").read_text(encoding="utf-8").splitlines()
            true = Counter(" ".join(line.split(",", 8)[8] for line in lines).lower().split())
            best = max(word_f1(words_read(target / name, mode), true) for mode in ("4", "6"))
            rows.append({"file": name, "kind": "receipt_scan", "tesseract_word_f1": round(best, 4)})
    return rows


def main() -> None:
    folder, names = new_folder("documents"), sorted(expected("documents"))
    make_clean(folder / "clean", [Path(name).name for name in names if name.startswith("clean/")])
    (folder / "real").mkdir()
    noisy = [Path(name).name for name in names if name.endswith("_noisy.png")]
    scans = [Path(name).name for name in names if name.startswith("real/sroie_")]
    rows = noisy_pages(folder / "real", noisy) + receipts(folder / "real", scans)
    pd.DataFrame(rows).to_csv(folder / "real" / "metadata.csv", index=False, lineterminator="\n")
    check("documents")


if __name__ == "__main__":
    main()
