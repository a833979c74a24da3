"""The photographs that retina is measured on, from their publishers: `python -m benchmarks.retina.prepare`.

RetinaMNIST as MedMNIST publishes it, and the official training part of IDRiD's disease grading, made smaller.
"""

import shutil
from pathlib import Path

import pandas as pd
from PIL import Image

from benchmarks.fetching import check, new_folder, published

SIDE, QUALITY = 384, 88
COLUMNS = {
    "Image name": "id_code",
    "Retinopathy grade": "diagnosis",
    "Risk of macular edema": "macular_edema_risk",
}


def smaller(photograph: Path, target: Path) -> None:
    """A JPEG whose shorter side is 384 pixels."""
    with Image.open(photograph) as image:
        factor = SIDE / min(image.size)
        size = (round(image.width * factor), round(image.height * factor))
        image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(target, quality=QUALITY)


def main() -> None:
    target = new_folder("retina")
    path = "datasets/MedMNISTv2/retinamnist.npz"
    with published("mxochicale/diffusion-models-tutorials", "a2e0f5d11d5ca1b041ea8892595c02a9c0d37fcc", path) as folder:
        shutil.copy(folder / path, target)
    part = "dataset/B. Disease Grading"
    with published("imsaksham-c/EyeDisease_IDRiD", "b82ed3a9f57283ee010ad8d5cf1ed80840d5ce9f", part) as folder:
        (labels,) = [file for file in folder.rglob("*.csv") if "Training" in file.name]
        table = pd.read_csv(labels).rename(columns=lambda name: name.strip()).rename(columns=COLUMNS)
        (target / "idrid_384").mkdir()
        for photograph in sorted(folder.rglob("*.jpg")):
            if "Training" in photograph.parent.name:
                smaller(photograph, target / "idrid_384" / photograph.name)
    table[list(COLUMNS.values())].to_csv(target / "idrid_384.csv", index=False, lineterminator="\n")
    check("retina")


if __name__ == "__main__":
    main()
