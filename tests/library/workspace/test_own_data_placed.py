"""`winnow init` and `winnow remove`: data are copied, tracked and named whole, or nothing is changed."""

import os
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from tests.library.workspace.own import CLIMB, contents, page, sources, text
from winnow.cli.data import _tell_unused, init
from winnow.pipeline import presets
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.params import PARAMS_FILE
from winnow.workspace import own_data
from winnow.workspace.own_data import carry_out, plan, remove, take_out, unused


def test_a_second_source_joins_the_first_and_the_same_name_is_refused(here: list[list[str]]) -> None:
    first = text("a.csv", "grade,holds\n6A+,A5 C9 K18\n")
    carry_out(plan("climb", [first]))
    with pytest.raises(WinnowError, match="names these files already"):
        plan("climb", [first])
    first.write_text("grade,holds\n6B+,A5 C9 K18\n")
    with pytest.raises(WinnowError, match="exists already"):
        plan("climb", [first])
    second = plan("climb", [text("b.csv", "grade,holds\n6B,A4 C9 K18\n")])
    assert "data/source/climb/a.csv" in second.lines()[-1], "not which source is there already"
    carry_out(second)
    assert [each["path"] for each in sources("climb")] == ["data/source/climb/a.csv", "data/source/climb/b.csv"]
    with pytest.raises(WinnowError, match="names these files already"):
        plan("climb", [Path("data/source/climb/a.csv")])


def test_a_file_that_was_taken_out_comes_back_by_the_same_command(here: list[list[str]]) -> None:
    """As it lies there still; nothing is copied or added anew."""
    pages = page(Path("mine/deep/a.png")).parent
    for domain, file, name in (
        ("climb", text("a.csv", "grade,holds\n6A+,A5 C9 K18\n"), "a.csv"),
        ("documents", pages, "deep"),
    ):
        carry_out(plan(domain, [file]))
        taken = remove(domain, [name])
        assert not any("--replace" in line for line in taken.lines()), "an option of init's"
        take_out(taken)
        here.clear()
        again = plan(domain, [file])
        assert not again.copies
        carry_out(again)
        assert not here
        assert [each["path"] for each in sources(domain)] == [f"data/source/{domain}/{name}"]
    page(pages / "b.png")
    take_out(remove("documents", ["deep"]))
    with pytest.raises(WinnowError, match="exists already"):
        plan("documents", [pages])


def test_that_files_which_stay_keep_ingest_stale_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    _tell_unused(["dvc remove a.csv.dvc && rm -r a.csv"])
    told = capsys.readouterr().out
    assert "so that ingest has to run again; to remove them, too:\n  dvc remove a.csv.dvc" in told
    _tell_unused([])
    assert not capsys.readouterr().out


def test_a_source_replaces_the_others_and_is_taken_out_again(here: list[list[str]]) -> None:
    """The files stay; the printed commands remove what nothing needs any more, and nothing else."""
    files = [text(f"{name}.csv", f"grade,holds\n6A+,A5 C9 K{row}\n") for row, name in enumerate("abc", 16)]
    carry_out(plan("climb", files[:2]))
    chosen = plan("climb", files[2:], replace=True)
    assert any("no longer names data/source/climb/a.csv" in line for line in chosen.lines())
    carry_out(chosen)
    assert [each["path"] for each in sources("climb")] == ["data/source/climb/c.csv"]
    for name in "ab":
        assert Path(f"data/source/climb/{name}.csv").exists(), "a file of the user was removed"
    assert unused(chosen) == [
        f"dvc remove data/source/climb/{name}.csv.dvc && rm -r data/source/climb/{name}.csv" for name in "ab"
    ]
    again = plan("climb", [Path("data/source/climb/a.csv")])
    carry_out(again)
    for name, left in (("data/source/climb/a.csv", ["c"]), ("c.csv", [])):
        with pytest.raises(WinnowError, match="no source has the name other.csv"):
            remove("climb", ["other.csv"])
        taken = remove("climb", [name])
        take_out(taken)
        assert [each["path"] for each in sources("climb")] == [f"data/source/climb/{each}.csv" for each in left]
        assert Path("data/source/climb", Path(name).name).exists()
        assert len(unused(taken)) == 1
        assert Path(name).name in unused(taken)[0]


def test_values_of_a_preset_for_the_data_before_are_told(
    here: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("winnow.cli.data.enter_checkout", lambda *files: files)
    again = "winnow preset sessions default --apply"
    lightgcn, log = text("train.txt", "0 1\n"), text("log.csv", "user,song\nann,One\n")
    text("test.txt", "0 2\n")
    init("sessions", [lightgcn])
    presets.apply({"sessions.train.epochs": 7, "sessions.filter.min_user_songs": 1}, PARAMS_FILE)
    assert again not in capsys.readouterr().out
    init("sessions", [log], replace=True)
    told = capsys.readouterr().out
    assert f"{again}   # if they were for the data before: params.yaml has 2 values of a preset or of yours" in told
    assert "such as sessions.filter.min_user_songs: 1" in told


def test_a_file_that_another_source_needs_is_not_to_be_removed(here: list[list[str]]) -> None:
    """Two labelled tables in one folder, and files that are read from beside a source."""
    for name in ("a", "b"):
        page(Path("mine", f"{name}.png"))
        text(f"{name}.csv", f"filename,quality_score\n{name}.png,0.9\n")
    carry_out(plan("documents", [Path("mine/a.csv")]))
    carry_out(plan("documents", [Path("data/source/documents/mine/b.csv")]))
    assert unused(remove("documents", ["a.csv"])) == []
    assert [
        "data/source/documents/mine " in f"{each} " for each in unused(remove("documents", ["a.csv", "b.csv"]))
    ] == [True]
    carry_out(plan("sessions", [text("test.txt", "0 2\n"), text("train.txt", "0 1\n")]))
    assert (
        sum(
            f"{name}.txt.dvc" in each
            for each in unused(remove("sessions", ["train.txt"]))
            for name in ("train", "test")
        )
        == 2
    )


def test_a_file_that_is_in_place_is_not_copied(here: list[list[str]]) -> None:
    target = Path("data/source/climb/there.csv")
    target.write_text("grade,holds\n6A+,A5 C9 K18\n")
    chosen = plan("climb", [target])
    assert not chosen.copies
    carry_out(chosen)
    assert here == [[target.as_posix()]]
    assert sources("climb")[0]["path"] == target.as_posix()


def test_a_folder_named_as_the_file_is_not_the_file(here: list[list[str]]) -> None:
    Path("data/source/climb/there.csv").mkdir()
    file = text("there.csv", "grade,holds\n6A+,A5 C9 K18\n")
    with pytest.raises(WinnowError, match=r"there\.csv exists already"):
        carry_out(plan("climb", [file]))


@pytest.mark.parametrize("broken", ["dvc", "params", "copy"])
def test_on_a_failure_everything_is_as_before(
    here: list[list[str]], workspace: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    first, second = (text(name, "grade,holds\n6A+,A5 C9 K18\n") for name in ("a.csv", "b.csv"))
    chosen = plan("climb", [first, second])
    before = contents(workspace)

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    if broken == "dvc":
        failed = subprocess.CompletedProcess([], 1, "", "not a DVC repository")
        monkeypatch.setattr(own_data.subprocess, "run", lambda *_, **__: failed)
    elif broken == "params":
        monkeypatch.setattr(own_data.presets, "apply", fail)
    else:
        real = own_data.shutil.copyfile
        monkeypatch.setattr(own_data.shutil, "copyfile", lambda a, b: real(a, b) if a == first else fail())
    with pytest.raises((WinnowError, OSError)):
        carry_out(chosen)
    assert contents(workspace) == before


def test_with_dvc_itself(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    for command in (["git", "init", "-q"], [*own_data.DVC, "init", "-q"]):
        subprocess.run(command, check=True)
    main = "import sys; from winnow.cli.app import main; sys.exit(main())"
    command = [sys.executable, "-c", main, "init", "climb", text("a.csv", "grade,holds\n6A+,A5 C9 K18\n")]
    told = subprocess.run(command, env=os.environ | {"PYTHONPATH": "src"}, stdout=PIPE, text=True, check=True).stdout
    next_steps = [line.partition("   #")[0].removeprefix("next:").strip() for line in told.splitlines()[-4:]]
    assert next_steps == [
        "git add data/source/climb/a.csv.dvc data/source/climb/.gitignore params.yaml",
        "winnow preset climb full --apply", "dvc repro plot@climb", "winnow rows climb",
    ]  # fmt: skip
    subprocess.run(next_steps[0].split(), check=True)
    status = subprocess.run([*own_data.DVC, "status", f"{CLIMB}/a.csv.dvc"], capture_output=True, text=True, check=True)
    assert "up to date" in status.stdout


def test_the_reason_of_dvc_is_told(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    for command in (["git", "init", "-q"], [*own_data.DVC, "init", "-q"]):
        subprocess.run(command, check=True)
    chosen = plan("climb", [text("a.csv", "grade,holds\n6A+,A5 C9 K18\n")])
    Path("dvc.lock").write_text("")
    with pytest.raises(WinnowError, match="dvc.lock is empty or damaged"):
        carry_out(chosen)
    Path("dvc.lock").unlink()
    Path(".dvc/config").write_text("[core]\n    no_such_option = 1\n")
    with pytest.raises(WinnowError, match="dvc add") as caught:
        carry_out(chosen)
    assert "no_such_option" in caught.value.where
    assert not Path("data/source/climb/a.csv").exists()


def test_files_of_one_size_and_time_are_compared_by_what_they_hold(tmp_path: Path) -> None:
    """As they come out of one archive: the newer is not taken for the one that is here already."""
    here, given = tmp_path / "here", tmp_path / "given"
    for folder, content in ((here, "12"), (given, "13")):
        folder.mkdir()
        (folder / "a.csv").write_text(content)
        os.utime(folder / "a.csv", (1_700_000_000, 1_700_000_000))
    assert own_data._in_place(given / "a.csv", here) == given / "a.csv"
    (given / "a.csv").write_text("12")
    assert own_data._in_place(given / "a.csv", here) == here / "a.csv"
