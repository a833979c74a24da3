"""What the trained grader refuses as unlike its training: pictures that show no fundus, and its own test photographs.

python -m benchmarks.retina.unlike [FOLDER_OF_OTHER_FUNDUS_PHOTOGRAPHS] [--name NAME]

In a checkout that was trained with another preset, --name says which: results/unlike_NAME.json.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_sample_images
from sklearn.metrics import roc_auc_score

from benchmarks.measure import report
from winnow.curate.filters import apply_rules
from winnow.domains.documents.source.drawing import KINDS
from winnow.domains.documents.source.synthetic import draw_page
from winnow.domains.retina import inference
from winnow.domains.retina.model import familiarity
from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.rules.quality import quality_rules
from winnow.domains.retina.source import formats
from winnow.domains.retina.source.records import Collection, Listing, Record
from winnow.images.listing import image_files
from winnow.images.store import read_images
from winnow.learn.folder import model_folder
from winnow.learn.trained import load_trained

EACH = 40
SIDE = 220


def drawn(rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """Pictures by kind, EACH of them."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    disc = (((rows - SIDE / 2) ** 2 + (columns - SIDE / 2) ** 2) < (0.47 * SIDE) ** 2)[..., None]
    noise = [rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(EACH)]
    plain = [np.full((SIDE, SIDE, 3), rng.integers((120, 40, 10), (200, 90, 60)), dtype=np.uint8) for _ in range(EACH)]
    scenes = []
    for number in range(EACH):
        scene = load_sample_images().images[number % 2]
        top, left = (int(rng.integers(length - SIDE)) for length in scene.shape[:2])
        scenes.append(scene[top : top + SIDE, left : left + SIDE])
    pages = [draw_page(sorted(KINDS)[number % len(KINDS)], 400, rng) for number in range(EACH)]
    return {
        "noise": noise,
        "noise in a disc": [picture * disc for picture in noise],
        "a plain disc": [picture * disc for picture in plain],
        "natural scenes": scenes,
        "pages": [np.repeat(page[..., None], 3, axis=2) for page in pages],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("others", nargs="?", type=Path, help="fundus photographs of other cameras")
    parser.add_argument("--name", default="", help="of the preset that the model was trained with")
    options = parser.parse_args()
    folder = model_folder("retina")
    model, known = load_trained(Grader, "retina"), familiarity.load(folder)
    splits = pd.read_parquet("data/retina/split/splits.parquet").query("split == 'test'")
    own = known.distances(model, read_images(Path("data/retina/ingest/images.arrow")).select(splits["image_id"]))
    figures = {"own test photographs": {"pictures": len(own), "unlike training": round(float((own > 1).mean()), 4)}}
    with TemporaryDirectory() as name:
        kinds: dict[str, list[Path]] = {}
        for kind, pictures in drawn(np.random.default_rng(0)).items():
            kinds[kind] = [Path(name, f"{kind} {number}.png") for number in range(len(pictures))]
            for path, picture in zip(kinds[kind], pictures, strict=True):
                Image.fromarray(np.ascontiguousarray(picture)).save(path)
        if options.others is not None:
            kinds["other cameras"] = image_files([options.others], formats.SUFFIXES, "photograph")
        for kind, files in kinds.items():
            listing = Listing([Record(row, str(file), None, file) for row, file in enumerate(files)])
            with inference._prepared(Collection("files", kind, "files", listing), model) as (found, images):
                distance = known.distances(model, images)
                broken = apply_rules(found.photos, quality_rules(model.limits)).notna().to_numpy(bool)
            truth = np.repeat([0, 1], [len(own), len(distance)])
            figures[kind] = {
                "pictures": len(distance),
                "unlike training": round(float((distance > 1).mean()), 4),
                "refused": round(float(((distance > 1) | broken).mean()), 4),
                "auroc": round(float(roc_auc_score(truth, np.concatenate([own, distance]))), 4),
            }
    report(f"retina/unlike{options.name and '_' + options.name}", figures)


if __name__ == "__main__":
    main()
