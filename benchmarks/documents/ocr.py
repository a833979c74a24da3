"""Whether the documented score falls with OCR accuracy: tesseract on degraded copies of clean pages.

    python -m benchmarks.documents.ocr CLEAN [clean_pages] [single_issues]

CLEAN is a folder of clean pages. Needs the program `tesseract` with its English data (Debian: tesseract-ocr); nothing
else in winnow does. clean_pages: copies made and stored as by the label stage, without its harmless effects, some of
which take text away. single_issues: copies with one issue alone, at some severities. The accuracy is the word F1
against what tesseract reads on the clean page; of the random pages those count on which it finds at least 30 words.
Intervals are over pages.

Results go to benchmarks/documents/results/ocr.json.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import merge
from winnow.domains.documents import definitions
from winnow.domains.documents.rules import copies, degradations
from winnow.domains.documents.source.pages import read_pages
from winnow.images.codec import Pixels
from winnow.judge.intervals import Counts, bootstrap
from winnow.measure.regression import spearman_correlations

SEED = 0
PAGES, COPIES, MIN_WORDS = 20, 5, 30
MAX_ISSUES, JITTER, QUALITY = 4, 0.03, 90
"""As in the preset real_pages."""
ISSUE_PAGES, SEVERITIES = 5, (0.3, 0.6, 0.9)
"""Of the copies with one issue."""
RESAMPLES, CONFIDENCE = 1000, 0.95


def read_words(picture: bytes) -> Counter[str]:
    """The lower-case words that tesseract finds in an encoded page, with how often it does."""
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    command = ["tesseract", "stdin", "stdout", "-l", "eng"]
    done = subprocess.run(command, input=picture, env=environment, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr.decode()}")
    return Counter(done.stdout.decode().lower().split())


def word_f1(found: Counter[str], expected: Counter[str]) -> float:
    """F1 of two multisets of words; 0 when neither holds a word."""
    return 2 * (found & expected).total() / max(found.total() + expected.total(), 1)


def readable_pages(files: list[Path], count: int) -> Iterator[tuple[str, Pixels, Counter[str]]]:
    """The first `count` pages with enough words: the file's name, the page, and its words."""
    found = 0
    for file in files:
        page = read_pages(file.read_bytes(), file.suffix, definitions.Preparation(2000, 120))[0]
        expected = read_words(copies.encode(page, QUALITY))
        if expected.total() >= MIN_WORDS:
            yield file.name, page, expected
            found += 1
        if found == count:
            return


def read_copies(files: list[Path], rng: np.random.Generator) -> pd.DataFrame:
    """A row per copy of the first `PAGES` files with enough words: page, score, legibility, label, word_f1."""
    rows: list[dict[str, Any]] = []
    for name, page, expected in readable_pages(files, PAGES):
        for wanted in copies.draw_scores(COPIES, 0.0, JITTER, rng).tolist():
            made = copies.make_copy(page, wanted, rng, max_issues=MAX_ISSUES, augmentation_share=0.0)
            score = float(definitions.severity_score(made.severities))
            rows.append(
                {
                    "page": name,
                    "score": score,
                    "legibility": float(definitions.severity_score(made.severities, definitions.LEGIBILITY)),
                    "label": int(definitions.class_of(score)),
                    "word_f1": word_f1(read_words(copies.encode(made.page, QUALITY)), expected),
                }
            )
    return pd.DataFrame(rows)


def with_issue(page: Pixels, issue: str, severity: float, rng: np.random.Generator) -> tuple[Pixels, float]:
    """The page with one issue alone, and its severity; that of a crop is only near the wanted one, or 0."""
    if issue == "cropped":
        return copies.crop(page, severity, rng)
    degrade = degradations.skew if issue == "skew" else degradations.AFTER_FRAMING[issue]
    return degrade(page, severity, rng), severity


def read_issues(files: list[Path], rng: np.random.Generator) -> pd.DataFrame:
    """A row per page, issue and severity that could be made: page, issue, wanted, severity, word_f1."""
    rows: list[tuple[str, str, float, float, float]] = []
    for name, page, expected in readable_pages(files, ISSUE_PAGES):
        for issue in definitions.ISSUES:
            for wanted in SEVERITIES:
                made, severity = with_issue(page, issue, wanted, rng)
                if severity:
                    accuracy = word_f1(read_words(copies.encode(made, QUALITY)), expected)
                    rows.append((name, issue, wanted, severity, accuracy))
    return pd.DataFrame(rows, columns=["page", "issue", "wanted", "severity", "word_f1"])


def correlation(rows: pd.DataFrame, name: str, rng: np.random.Generator) -> dict[str, float]:
    """Spearman's correlation of a column with word F1, and its interval over pages."""

    def statistic(counts: Counts) -> "np.ndarray[Any, np.dtype[np.float64]]":
        return spearman_correlations(rows[name], rows["word_f1"], counts)

    whole = float(statistic(np.ones((1, len(rows)), dtype=np.int64))[0])
    options = {"resamples": RESAMPLES, "confidence": CONFIDENCE}
    found = bootstrap({name: statistic}, len(rows), rng=rng, groups=rows["page"], **options)[name]
    return {"value": round(whole, 4), "low": round(found.low, 4), "high": round(found.high, 4)}


def figures(rows: pd.DataFrame) -> dict[str, Any]:
    """What `read_copies` gave, by figure and by class."""
    return {
        "seed": SEED,
        "pages": int(rows["page"].nunique()),
        "copies": len(rows),
        "spearman": {name: correlation(rows, name, np.random.default_rng(SEED)) for name in ("score", "legibility")},
        "by_class": {
            definitions.CLASSES[int(label)]: {
                "copies": len(part),
                "mean": round(float(part["word_f1"].mean()), 4),
                "median": round(float(part["word_f1"].median()), 4),
                "low_quartile": round(float(part["word_f1"].quantile(0.25)), 4),
                "high_quartile": round(float(part["word_f1"].quantile(0.75)), 4),
            }
            for label, part in rows.groupby("label")
        },
    }


def issue_figures(rows: pd.DataFrame) -> dict[str, Any]:
    """What `read_issues` gave, by issue: the mean word F1 at each severity, and the correlation with severity."""
    return {
        "seed": SEED,
        "pages": int(rows["page"].nunique()),
        "by_issue": {
            str(issue): {
                "copies": len(part),
                "mean": {str(wanted): round(float(own.mean()), 4) for wanted, own in part.groupby("wanted")["word_f1"]},
                "spearman": correlation(part.reset_index(), "severity", np.random.default_rng(SEED)),
            }
            for issue, part in rows.groupby("issue")
        },
    }


PARTS: dict[str, Callable[[list[Path], np.random.Generator], dict[str, Any]]] = {
    "clean_pages": lambda files, rng: figures(read_copies(files, rng)),
    "single_issues": lambda files, rng: issue_figures(read_issues(files, rng)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clean", type=Path)
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    options = parser.parse_args()
    if not shutil.which("tesseract"):
        sys.exit("this benchmark needs tesseract with its English data (Debian: apt-get install tesseract-ocr)")
    files = sorted(options.clean.glob("*.png"))
    if not files:
        sys.exit(f"no PNG file in {options.clean}: give the folder of clean pages")
    for name in options.parts:
        rng = np.random.default_rng(SEED)
        merge("documents/ocr", {name: PARTS[name]([files[place] for place in rng.permutation(len(files))], rng)})


if __name__ == "__main__":
    main()
