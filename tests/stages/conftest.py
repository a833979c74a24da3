"""Every domain's stages, run once on its preset `tiny`, for all tests that are parametrised over domains."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from tests.stages.programs import STAGES, Programs
from winnow.domains.load import domain_names


@dataclass(frozen=True)
class Finished:
    """A domain and a folder in which all its stages ran; not to be changed."""

    programs: Programs
    folder: Path


@pytest.fixture(scope="session", params=domain_names())
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Made by the first process of pytest that needs it."""
    domain: str = request.param
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, programs = shared / "tiny" / domain, Programs.tiny(domain)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(shared / f"tiny-{domain}.lock"):
        if not (folder / "finished").exists():
            with pytest.MonkeyPatch.context() as patch, torch_restored():
                patch.chdir(folder)
                for stage in STAGES:
                    programs.run(stage)
            (folder / "finished").touch()
    return Finished(programs, folder)


@pytest.fixture(autouse=True)
def _any_folder_is_the_code_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that run in this process work on a test's folder by this checkout's code."""
    monkeypatch.setattr("winnow.pipeline.checkout.check_code_location", lambda: None)


@pytest.fixture
def domain(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Programs]:
    """The domain's programs, in a copy of its finished folder."""
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    with torch_restored():
        yield finished.programs


@contextmanager
def torch_restored() -> Iterator[None]:
    """Programs set torch's global state as they please: each has a process of its own outside of tests."""
    enabled, threads = torch.is_grad_enabled(), torch.get_num_threads()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            torch.set_grad_enabled(enabled)
            torch.set_num_threads(threads)
