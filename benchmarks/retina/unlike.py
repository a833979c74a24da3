"""What `winnow retina grade` refuses: pictures that show no fundus, eyes out of focus, and own test photographs.

python -m benchmarks.retina.unlike [FOLDER_OF_OTHER_FUNDUS_PHOTOGRAPHS] [--name NAME] [--enlarged PIXELS]

The other photographs may be an .npz of MedMNIST, whose test part is enlarged to so many pixels. In a checkout that was
trained with another preset, --name says which: results/unlike_NAME.json.
"""

import argparse
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageDraw, ImageFilter
from sklearn.datasets import load_sample_images
from sklearn.metrics import roc_auc_score

from benchmarks.measure import report
from stages.retina.ingest import read_source
from winnow.domains.documents.source.drawing import KINDS
from winnow.domains.documents.source.synthetic import draw_page
from winnow.domains.retina.inference import Opened, grade_with
from winnow.domains.retina.params import Common, Ingest
from winnow.domains.retina.source import formats, synthetic
from winnow.domains.retina.source.fundus import draw_fundus
from winnow.images.listing import image_files
from winnow.learn.folder import model_folder
from winnow.pipeline.stage import load_stage

EACH = 40
SIDE = 220
OWN = "own test photographs"


def drawn(rng: np.random.Generator) -> dict[str, list[Image.Image]]:
    """Pictures by kind, EACH of them."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    disc = (((rows - SIDE / 2) ** 2 + (columns - SIDE / 2) ** 2) < (0.47 * SIDE) ** 2)[..., None]
    noise = [rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(EACH)]
    plain = [np.full((SIDE, SIDE, 3), rng.integers((120, 40, 10), (200, 90, 60)), dtype=np.uint8) for _ in range(EACH)]
    textured = [np.clip(picture * texture(rng), 0, 255).astype(np.uint8) for picture in plain]
    scenes = []
    for number in range(EACH):  # crops of the two pictures that scikit-learn ships
        scene = load_sample_images().images[number % 2]
        top, left = (int(rng.integers(length - SIDE)) for length in scene.shape[:2])
        scenes.append(scene[top : top + SIDE, left : left + SIDE])
    pages = [draw_page(sorted(KINDS)[number % len(KINDS)], 400, rng) for number in range(EACH)]
    arrays = {
        "noise": noise,
        "noise in a disc": [picture * disc for picture in noise],
        "a plain disc": [picture * disc for picture in plain],
        "a textured disc": [picture * disc for picture in textured],
        "natural scenes": scenes,
        "pages": [np.repeat(page[..., None], 3, axis=2) for page in pages],
    }
    found = {kind: [Image.fromarray(picture) for picture in pictures] for kind, pictures in arrays.items()}
    return found | {"figure sheets": [figure_sheet(rng) for _ in range(EACH)]}


def texture(rng: np.random.Generator) -> np.ndarray:
    """(SIDE, SIDE, 1) factors around 1: smooth noise of 4 to 16 pixels, which shows neither vessels nor a disc."""
    smooth = cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)), (0, 0), float(rng.uniform(4, 16)))
    factors: np.ndarray = (1 + 0.15 * smooth / smooth.std())[..., None]
    return factors


def figure_sheet(rng: np.random.Generator) -> Image.Image:
    """Six drawn eyes in two rows on white, with their letters and a legend, as a paper shows them."""
    sheet = Image.new("RGB", (3 * 150 + 40, 2 * 170 + 60), "white")
    pen = ImageDraw.Draw(sheet)
    for number in range(6):
        left, top = 20 + 150 * (number % 3), 20 + 170 * (number // 3)
        sheet.paste(draw_fundus(int(rng.integers(5)), bool(number % 2), 140, rng), (left, top + 16))
        pen.text((left, top), f"({'abcdef'[number]}) grade", fill="black")
    pen.text((20, 2 * 170 + 30), "Figure 1: examples of the grades of diabetic retinopathy", fill="black")
    return sheet


def enlarged(file: Path, pixels: int) -> list[Image.Image]:
    """The test part of one of MedMNIST's collections."""
    with np.load(file) as arrays:
        return [Image.fromarray(picture).resize((pixels, pixels)) for picture in arrays["test_images"]]


def own_photographs() -> list[Image.Image]:
    """The test photographs of this checkout as their source has them, before they are cropped and resized."""
    stage = load_stage("retina", "ingest", Common, Ingest)
    drawn = () if stage.params.sources else (synthetic.make(stage.params.synthetic, stage.rng()),)
    listings = [read_source(stage, source).listing for source in stage.params.sources] or drawn
    records = {record.name: record for listing in listings for record in listing.records}
    splits = pd.read_parquet("data/retina/split/splits.parquet").query("split == 'test'")
    photos = pd.read_parquet("data/retina/ingest/photos.parquet").set_index("image_id")
    return [Image.open(io.BytesIO(records[photos.loc[one, "name"]].read())) for one in splits["image_id"]]


def blurred(pictures: Sequence[Image.Image], share: float) -> list[Image.Image]:
    return [picture.filter(ImageFilter.GaussianBlur(share * picture.width)) for picture in pictures]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("others", nargs="?", type=Path, help="fundus photographs of other cameras")
    parser.add_argument("--name", default="", help="of the preset that the model was trained with")
    parser.add_argument("--enlarged", type=int, default=448, help="side of MedMNIST's photographs")
    options = parser.parse_args()
    own = own_photographs()
    kinds = {
        OWN: own,
        "out of focus by 1% of the side": blurred(own, 0.01),
        "out of focus by 2% of the side": blurred(own, 0.02),
        **drawn(np.random.default_rng(0)),
    }
    if options.others is not None and options.others.suffix == ".npz":
        kinds["other cameras"] = enlarged(options.others, options.enlarged)
    elif options.others is not None:
        kinds["other cameras"] = [Image.open(file) for file in image_files([options.others], formats.SUFFIXES, "one")]
    opened, figures = Opened.of(model_folder("retina"), torch.device("cpu")), {}
    nearest: list[float] = []
    for kind, pictures in kinds.items():
        with TemporaryDirectory() as name:
            for number, picture in enumerate(pictures):
                picture.save(Path(name, f"{number:04d}.png"))
            answers = grade_with(opened, [Path(name)], None)
        distance = [answer["distance"] for answer in answers]
        nearest = nearest or distance
        figures[kind] = shares(answers)
        if kind != OWN:
            truth = np.repeat([0, 1], [len(nearest), len(distance)])
            figures[kind]["auroc"] = round(float(roc_auc_score(truth, [*nearest, *distance])), 4)
    report(f"retina/unlike{options.name and '_' + options.name}", figures)


def shares(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of pictures: those refused, those farther than the limit, and those refused by each reason."""
    reasons = Counter(answer["quality"] for answer in answers if answer["grade"] is None)
    return {
        "pictures": len(answers),
        "refused": share(sum(reasons.values()), answers),
        "unlike training": share(sum(answer["distance"] > 1 for answer in answers), answers),
        "by reason": {reason: share(count, answers) for reason, count in sorted(reasons.items())},
    }


def share(count: int, answers: Sequence[dict[str, Any]]) -> float:
    return round(count / len(answers), 4)


if __name__ == "__main__":
    main()
