"""How well an OCR's confidence, without any training, follows what another OCR reads on real receipts.

    python -m benchmarks.documents.reading REAL

REAL holds metadata.csv (benchmarks/documents/README.md). Every receipt is read whole by RapidOCR (the extra `ocr`); its
readability is compared with tesseract's word F1 against the transcription. Nothing is chosen on these receipts.
Results go to benchmarks/documents/results/reading.json.
"""

import argparse
import time
from pathlib import Path

import pandas as pd

from benchmarks.documents.pages import _spearman
from benchmarks.measure import merge
from winnow.domains.documents import definitions
from winnow.domains.documents.rules.reading import read_page
from winnow.domains.documents.source.pages import read_pages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path)
    folder = parser.parse_args().real
    table = pd.read_csv(folder / "metadata.csv")
    receipts = table[(table["kind"] == "receipt_scan") & table["tesseract_word_f1"].notna()]
    began, found = time.process_time(), []
    for name in receipts["file"]:
        page = read_pages((folder / name).read_bytes(), Path(name).suffix, definitions.Preparation(2000, 120))[0]
        found.append(read_page(page).readability)
    seconds = (time.process_time() - began) / len(found)
    figures = {
        "receipts": len(found),
        "spearman": _spearman(found, receipts["tesseract_word_f1"]),
        "cpu_seconds_a_page": round(seconds, 2),
    }
    merge("documents/reading", {"receipts": figures})


if __name__ == "__main__":
    main()
