"""Whether pages that were filled in from one form are kept, and on one side; and other files of one page are dropped.

    python -m benchmarks.documents.forms CLEAN

Each of 10 clean pages is filled in 40 times: words at 30 free places, and once more with one word changed. Fillings go
through the filter's rules and the split; other files of a filling are a JPEG, a smaller copy, and one with grain.
Results go to benchmarks/documents/results/forms.json.
"""

import argparse
import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.measure import merge
from winnow.domains.documents import definitions
from winnow.domains.documents.rules.ink import ink_mask
from winnow.domains.documents.rules.pages import repeated, shown
from winnow.domains.documents.source.pages import page_hash, read_pages
from winnow.images.alike import print_map
from winnow.images.codec import Pixels, encode_png
from winnow.images.opencv import cv2

SEED, FORMS, FILLINGS, FIELDS, DISTANCE = 0, 10, 40, 30, 28
WORDS = ("Miller", "Anna", "12.04.2021", "Berlin", "4471", "Smith", "John", "none", "yes", "B-7", "London", "0.75")


def fields(page: Pixels, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Free places for words: lower left corners."""
    busy, found = cv2.dilate(ink_mask(page).astype(np.uint8), np.ones((15, 15), np.uint8)), []
    while len(found) < FIELDS:
        x, y = int(rng.integers(10, page.shape[1] - 130)), int(rng.integers(40, page.shape[0] - 10))
        if busy[y - 18 : y + 4, x : x + 110].mean() < 0.3:
            found.append((x, y))
    return found


def filled(page: Pixels, places: list[tuple[int, int]], words: list[str]) -> Pixels:
    """The form with a word at each place."""
    form = page.copy()
    for place, word in zip(places, words, strict=True):
        cv2.putText(form, word, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 20, 1, cv2.LINE_AA)
    return form


def other_files(page: Pixels, rng: np.random.Generator) -> list[Pixels]:
    """The same page as other files."""
    buffer = io.BytesIO()
    Image.fromarray(page).save(buffer, "JPEG", quality=75)
    grain = np.roll(page, (2, -1), (0, 1)) + rng.normal(0, 4, page.shape)
    smaller = cv2.resize(page, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    return [np.asarray(Image.open(buffer)), smaller, np.rint(grain).clip(0, 255).astype(np.uint8)]


def table(pages: list[Pixels]) -> pd.DataFrame:
    """The columns that the rules look at."""
    return pd.DataFrame(
        {
            "image_id": [f"{number:04}" for number in range(len(pages))],
            "perceptual_hash": [page_hash(page) for page in pages],
            "print_map": [print_map(page).hex() for page in pages],
            "page": None, "score": np.nan, "label": None, "issues": None,
        }
    )  # fmt: skip


def dropped(pages: list[Pixels]) -> "pd.Series[bool]":
    return repeated(table(pages), [encode_png(page) for page in pages], DISTANCE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clean", type=Path)
    files = sorted(parser.parse_args().clean.glob("*.png"))
    rng = np.random.default_rng(SEED)
    kept, sides, again, one_word = [], [], [], []
    for file in [files[place] for place in sorted(rng.permutation(len(files))[:FORMS].tolist())]:
        page = read_pages(file.read_bytes(), file.suffix, definitions.Preparation(2000, 120))[0]
        places = fields(page, rng)
        words = [list(rng.choice(WORDS, FIELDS)) for _ in range(FILLINGS)]
        forms = [filled(page, places, each) for each in words]
        kept.append(int((~dropped(forms)).sum()))
        sides.append(int(shown(table(forms), DISTANCE).nunique()))
        again.append(int(dropped([forms[0], *other_files(forms[0], rng)]).sum()))
        other = ["Paris", *words[0][1:]]
        one_word.append(int(dropped([forms[0], filled(page, places, other)]).sum()))
        print(file.name, kept[-1], sides[-1], again[-1], one_word[-1], flush=True)
    figures = {
        "forms": FORMS,
        "fillings": FORMS * FILLINGS,
        "fillings_kept": sum(kept),
        "forms_in_one_group": sum(count == 1 for count in sides),
        "one_word_changed": FORMS,
        "one_word_changed_kept": FORMS - sum(one_word),
        "other_files": 3 * FORMS,
        "other_files_dropped": sum(again),
    }
    merge("documents/forms", {"forms": figures})


if __name__ == "__main__":
    main()
