"""A domain's stage programs, run in the working folder on the real params.yaml with some values changed.

They run on the embedded data, whatever files of a user's `ingest.sources` names.
"""

import json
import shutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from tests.conftest import ROOT
from winnow.domains.load import load
from winnow.pipeline.params import Document, Runtime
from winnow.pipeline.stage import Stage

DATA_STAGES = ("ingest", "filter", "label", "split", "weight")
STAGES = (*DATA_STAGES, "train", "evaluate", "plot")
WHOLE = {"sessions": {"train": {"model": "genre_gat"}}}
"""What tests set beside the preset `tiny`, so that all parts of a domain run."""


@cache
def params() -> Mapping[str, Any]:
    """What params.yaml holds; not to be changed."""
    return Document(ROOT / "params.yaml").content


class Programs:
    """`small` holds what is changed for all tests, by stage; sections within sections are merged."""

    def __init__(self, domain: str, small: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.domain = domain
        self.small = small or {}

    @classmethod
    def tiny(cls, domain: str) -> "Programs":
        """With the domain's preset `tiny`: all stages take seconds."""
        return cls(domain, _merged(Document(ROOT / "presets" / domain / "tiny.yaml").content, WHOLE.get(domain, {})))

    def section(self, name: str, **changes: Any) -> Any:
        """params.yaml's section of a stage (or `common`) with its changes."""
        values = params()[self.domain][name] | ({"sources": []} if name == "ingest" else {})
        model = load(self.domain, "params").Params.model_fields[name].annotation
        return model.model_validate(_merged(_merged(values, self.small.get(name, {})), changes))

    def run(self, name: str, **changes: Any) -> dict[str, Any]:
        """Run a stage here; `common` changes that section, all others the stage's own. Gives its metrics."""
        for file in ("params.yaml", "dvc.yaml"):
            shutil.copy(ROOT / file, file)
        Path("src", "winnow").mkdir(parents=True, exist_ok=True)  # by which commands know a checkout
        for shipped in (ROOT / "data" / "source" / self.domain).iterdir():  # such as filters; models are the user's
            target = Path("data", "source", self.domain, shipped.name)
            if shipped.is_dir() and shipped.name != "models" and not target.exists():
                shutil.copytree(shipped, target)
        common = self.section("common", **changes.pop("common", {}))
        runtime = Runtime.model_validate(params()["runtime"])
        stage = Stage(self.domain, name, common, self.section(name, **changes), runtime, params()["seed"])
        import_module(f"stages.{self.domain}.{name}").main(stage)
        stage.finish()
        return self.metrics(name)

    def metrics(self, name: str) -> dict[str, Any]:
        file = Path("metrics", self.domain, f"{name}.json")
        found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return found

    def table(self, path: str) -> pd.DataFrame:
        return pd.read_parquet(Path("data", self.domain, path))


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    inner = {
        key: _merged(values[key], value) if isinstance(value, dict) and isinstance(values.get(key), dict) else value
        for key, value in changes.items()
    }
    return {**values, **inner}
