"""Whether a model has learned the data that winnow generates, and so nothing of real ones."""

from pathlib import Path

import yaml

from winnow.learn.folder import model_folder
from winnow.pipeline.checkout import checkout_root
from winnow.pipeline.errors import WinnowError
from winnow.workspace.lockfile import LOCK, stages_in

SAID = "Embedded synthetic data:"
"""The beginning of the data's description in the card of such a model."""


def learned_embedded(domain: str, folder: Path) -> bool:
    """Whether the model in a folder is known to be of embedded data: by its card, or the dvc.lock of its checkout."""
    card = folder / "README.md"
    if card.is_file() and SAID in card.read_text(encoding="utf-8", errors="replace"):
        return True
    root = checkout_root()
    try:
        own = root is not None and model_folder(domain, root).samefile(folder)
    except WinnowError:
        return False
    if root is None or not own or not (root / LOCK).is_file():
        return False
    content = (root / LOCK).read_bytes()
    if f"ingest@{domain}" not in (stages_in(content) or ()):
        return False
    ingest = yaml.load(content, yaml.CSafeLoader)["stages"][f"ingest@{domain}"]
    values = ingest.get("params", {}).get("params.yaml", {}).get(f"{domain}.ingest", {})
    return bool(values.get("sources") == [])
