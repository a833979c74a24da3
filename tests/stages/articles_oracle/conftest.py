"""The label stage in a folder of its own, after ingest and filter."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.stages.articles_oracle.stub import FILTER, KEY
from tests.stages.programs import Programs
from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.rules import runs
from winnow.domains.articles.source.filters import read_filter


@pytest.fixture(scope="session")
def definition() -> Definition:
    return read_filter(FILTER, ROOT / "data/source/articles/filters")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where ingest and filter ran."""
    folder = tmp_path_factory.mktemp("articles")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in ("ingest", "filter"):
            Programs.tiny("articles").run(stage)
    return folder


@pytest.fixture
def here(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """The stages, in a folder of their own, with fast retries and a key."""
    for name in ("data", "params.yaml", "dvc.yaml", "src"):
        (tmp_path / name).symlink_to(data / name)
    shutil.copytree(data / "metrics", tmp_path / "metrics")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WINNOW_ORACLE_KEY", KEY)
    monkeypatch.setattr(runs, "FIRST_PAUSE", 0.02)
    return Programs.tiny("articles")


@pytest.fixture(autouse=True)
def _no_label_left(data: Path) -> Iterator[None]:
    yield
    for file in (data / "data/articles").glob("label/*"):
        file.unlink()
