"""Data that a user brings, as files in the folder `mine`."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from winnow.domains.documents.source.synthetic import draw_page
from winnow.pipeline.params import PARAMS_FILE, Document

Files = list[Path]


def page(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_page("letter", 200, np.random.default_rng(0))).save(path)
    return path


def text(name: str, content: str, encoding: str = "utf-8") -> Path:
    path = Path("mine", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(encoding))
    return path


def parquet(name: str, **columns: Any) -> Path:
    path = Path("mine", name)
    path.parent.mkdir(exist_ok=True)
    pd.DataFrame(columns).to_parquet(path)
    return path


def photographs(*names: str) -> Path:
    for name in names:
        page(Path("mine/eyes", f"{name}.png"))
    return Path("mine/eyes")


CLIMB = "data/source/climb"


def sources(domain: str) -> list[Any]:
    found: list[Any] = Document(PARAMS_FILE).content[domain]["ingest"]["sources"]
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
