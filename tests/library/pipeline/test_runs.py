"""The run folders of trainings: which inputs share one, and what happens to the folders of other trainings."""

import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from winnow.pipeline.params import Runtime
from winnow.pipeline.runs import UNFINISHED, fingerprint, mark_finished, run_folder
from winnow.pipeline.section import Section
from winnow.pipeline.stage import Stage

PIPELINE = """\
stages:
  train:
    deps: ["data/code/${item.domain}/train.json", "data/${item.domain}/split"]
"""


class Settings(Section):
    epochs: int = 3


@pytest.fixture(autouse=True)
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage[Section, Section]:
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, text in {
        "dvc.yaml": PIPELINE,
        "data/code/climb/train.json": "{}",
        "data/climb/split/splits.parquet": "rows",
        "data/climb/other/table.parquet": "rows",
    }.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    return made_stage()


def made_stage(*, seed: int = 1, common: int = 3, epochs: int = 3, devices: int = 1) -> Stage[Section, Section]:
    runtime = Runtime(device="cpu", devices=devices, num_workers=0, progress="none", cluster=None)
    return Stage("climb", "train", Settings(epochs=common), Settings(epochs=epochs), runtime, seed)


def write(name: str, text: str) -> Callable[[], object]:
    return lambda: Path(name).write_text(text)


@pytest.mark.parametrize(
    ("edit", "changes"),
    [
        (write("data/code/climb/train.json", "{}\n"), True),
        (write("data/climb/split/splits.parquet", "more"), True),
        (write("data/climb/split/more.parquet", ""), True),
        (lambda: Path("data/climb/split/splits.parquet").rename("data/climb/split/a.parquet"), True),
        (write("data/climb/other/table.parquet", "more"), False),
        (lambda: os.utime("data/climb/split/splits.parquet", (1, 1)), False),
    ],
    ids=["code", "data", "new file", "renamed file", "other data", "times"],
)
def test_the_fingerprint_is_of_the_listed_deps(edit: Callable[[], object], changes: bool) -> None:
    before = fingerprint(made_stage())
    edit()
    assert (fingerprint(made_stage()) != before) == changes


def test_the_fingerprint_is_of_the_params_that_the_program_runs_with(stage: Stage[Section, Section]) -> None:
    """Of those it has read: an orphan whose params.yaml was edited since would train under another one's name."""
    changed = [made_stage(seed=2), made_stage(common=4), made_stage(epochs=4)]
    assert len({fingerprint(each) for each in (stage, *changed)}) == 4
    assert fingerprint(made_stage(devices=2)) == fingerprint(stage)


def old_runs(*names: str, finished: bool) -> list[Path]:
    """Folders of earlier trainings, the first one the oldest."""
    folders = [Path(".winnow/train/climb", name) for name in names]
    for age, folder in enumerate(reversed(folders)):
        folder.mkdir(parents=True)
        (folder / "weights").write_text("trained for hours")
        if finished:
            mark_finished(folder)
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    return folders


def test_finished_trainings_are_removed_and_the_latest_unfinished_ones_stay(stage: Stage[Section, Section]) -> None:
    finished = old_runs("f0", "f1", finished=True)
    unfinished = old_runs(*(f"u{number}" for number in range(UNFINISHED + 2)), finished=False)
    with run_folder(stage) as folder:
        assert folder.name == fingerprint(stage)
        assert folder.is_dir()
    assert not any(each.exists() for each in finished)
    assert [each.exists() for each in unfinished] == [False, False] + [True] * UNFINISHED


def test_a_folder_in_use_is_not_removed(stage: Stage[Section, Section]) -> None:
    (held,) = old_runs("held", finished=True)
    with FileLock(held.with_name("held.lock")), run_folder(stage):
        assert (held / "weights").exists()
    with run_folder(stage):
        assert not held.exists()


RANK = """
from tests.library.pipeline.test_runs import made_stage
from winnow.pipeline.runs import run_folder
with run_folder(made_stage()):
    print("goes on", flush=True)
    input()
"""


def test_all_processes_of_a_training_wait_for_the_one_that_holds_its_folder(stage: Stage[Section, Section]) -> None:
    repository = Path(__file__).parents[3]
    path = os.pathsep.join([str(repository), str(repository / "src")])
    launch = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_PORT": "29501", "PYTHONPATH": path}
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    with run_folder(stage) as folder:  # as one of which dvc was killed does
        folder.with_name("killed.pid").write_text(f"{killed.pid} 29501")  # by a launch that had the same port
        ranks = [
            subprocess.Popen(
                [sys.executable, "-c", RANK],
                env={**os.environ, **launch, "RANK": str(rank)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]
        assert ranks[0].stderr is not None
        assert "is running the same training" in ranks[0].stderr.readline()
        early = select.select([rank.stdout for rank in ranks], [], [], 2.0)[0]
        assert not early, "a process went on while another training held the folder"
    for rank in ranks:
        assert rank.stdout is not None
        assert rank.stdout.readline() == "goes on\n"
    for rank in ranks:
        rank.communicate("\n", timeout=60)
        assert rank.returncode == 0


def test_a_kill_while_a_folder_is_removed_leaves_no_half_of_it(stage: Stage[Section, Section]) -> None:
    class KilledError(Exception):
        pass

    def rmtree(path: Path, **_: object) -> None:
        if path.exists():
            (path / "weights").unlink()
            raise KilledError

    (removed,) = old_runs("old", finished=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "rmtree", rmtree)
        with pytest.raises(KilledError), run_folder(stage):
            pass
    assert not removed.exists()
    with run_folder(stage) as folder:
        left = {path.name for path in folder.parent.iterdir() if path.is_dir()}
    assert left == {folder.name}


def test_a_finished_training_is_reported_with_the_way_to_repeat_it(
    stage: Stage[Section, Section], capsys: pytest.CaptureFixture[str]
) -> None:
    with run_folder(stage) as folder:
        mark_finished(folder)
    assert capsys.readouterr().err == ""
    with run_folder(stage):
        assert (folder / "finished").exists()
    message = capsys.readouterr().err
    assert "train@climb has finished already" in message
    assert f"remove {folder}" in message
