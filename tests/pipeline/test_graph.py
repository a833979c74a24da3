"""dvc.yaml is exact: an edit re-runs the programs that run the edited code, and no other. DVC itself is asked.

The graph and `check` are the real ones; in place of the other programs a short one writes a hash of all that the stage
depends on as its outputs, so that a change travels down the graph as far as it can. `check` records the code of all
domains' programs; DVC is asked about some of the domains, since its graph is the same for each.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import yaml

from tests.pipeline.conftest import Clone, new_clone

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
DOMAINS = yaml.safe_load((ROOT / "params.yaml").read_text())["domains"]
ASKED = ["climb", "retina", "sessions"]
"""The domains about whose stages DVC is asked."""
ORDER = ["ingest", "filter", "label", "split", "weight", "train", "evaluate", "plot"]

STAND_IN = """\
import hashlib, pathlib, sys, yaml

domain, name = sys.argv[1:]
stage = yaml.safe_load(open("dvc.yaml"))["stages"][name]
seen = hashlib.sha256()
for dep in stage["deps"]:
    path = pathlib.Path(dep.replace("${item.domain}", domain))
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        seen.update(file.read_bytes() if file.is_file() else b"")
for kind in ("outs", "metrics", "plots"):
    for out in stage.get(kind, []):
        path = pathlib.Path((out if isinstance(out, str) else next(iter(out))).replace("${item.domain}", domain))
        files = [path] if path.suffix else [path / "made.tsv", path / "model" / "made"]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f'{{"made": {int(seen.hexdigest(), 16)}}}')
"""


@pytest.fixture(scope="module")
def outlined(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which `check` is real and every other program is the stand-in; everything has been run."""
    clone = new_clone(tmp_path_factory.mktemp("outlined") / "clone")
    clone.override({"domains": ASKED})
    others = {name: {"cmd": f"python stand_in.py ${{item.domain}} {name}"} for name in ORDER}
    graph = {**PIPELINE, "stages": {name: stage | others.get(name, {}) for name, stage in PIPELINE["stages"].items()}}
    (clone.root / "dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False))
    (clone.root / "stand_in.py").write_text(STAND_IN)
    clone.run("dvc", "repro", "-q")
    clone.commit("outlined")
    return clone


def stages_run(clone: Clone) -> set[str]:
    """The stages that `dvc repro` runs now."""
    output = clone.run("dvc", "repro").stdout
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}


def add_function(path: Path) -> None:
    path.write_text(path.read_text() + "\n\ndef added() -> None:\n    pass\n")


def add_comment(path: Path) -> None:
    path.write_text("# a comment\n" + path.read_text())


def change_docstrings(path: Path) -> None:
    text = path.read_text()
    assert text.count('"""') > 2
    path.write_text(text.replace('."""', ', as before."""'))


def change_descriptions(path: Path) -> None:
    text = path.read_text()
    assert 'description="' in text
    path.write_text(text.replace('description="', 'description="indeed, '))


def recorded_code(clone: Clone) -> dict[str, str]:
    """What `check` recorded of each program, by the name of its stage; of all domains."""
    files = (clone.root / "data/code").glob("*/*.json")
    return {f"{file.stem}@{file.parent.name}": file.read_text() for file in files}


def downstream(first: str, *domains: str) -> set[str]:
    return {f"{name}@{domain}" for domain in domains for name in ORDER[ORDER.index(first) :]}


@pytest.mark.parametrize(
    ("edits", "stages"),
    [
        (
            {
                "src/winnow/learn/loop.py": change_docstrings,
                "src/winnow/pipeline/stage.py": add_comment,
                "src/winnow/learn/settings.py": change_descriptions,
                "src/winnow/domains/climb/tables.py": change_descriptions,
                "src/winnow/domains/climb/params.py": add_function,
                "stages/climb/train.py": add_comment,
            },
            set(),
        ),
        (
            {
                "src/winnow/vision/backbones.py": add_function,
                "src/winnow/domains/climb/view/boards.py": add_function,
                "src/winnow/recommend/baselines.py": add_function,
            },
            downstream("train", "retina", "documents", "sessions")
            | downstream("plot", "climb")
            | downstream("evaluate", "playlists"),
        ),
        ({"src/winnow/judge/gates.py": add_function}, downstream("evaluate", *DOMAINS)),
        ({"src/winnow/learn/loop.py": add_function}, downstream("train", *DOMAINS)),
        ({"stages/__init__.py": add_function}, downstream("ingest", *DOMAINS)),
        (
            {
                "stages/climb/weight.py": add_function,
                "src/winnow/show/figures.py": add_function,
                "src/winnow/domains/retina/evaluation/baselines.py": add_function,
            },
            downstream("weight", "climb") | downstream("evaluate", "retina") | downstream("plot", *DOMAINS),
        ),
    ],
    ids=["words", "rooms of a domain", "judge", "learn", "what every program imports first", "programs"],
)
def test_an_edit_runs_what_runs_the_edited_code_and_nothing_else(
    outlined: Clone, edits: dict[str, Callable[[Path], None]], stages: set[str]
) -> None:
    before = recorded_code(outlined)
    try:
        for path, edit in edits.items():
            edit(outlined.root / path)
        assert stages_run(outlined) == {"check"} | {stage for stage in stages if stage.partition("@")[2] in ASKED}
        changed = [stage.split("@") for stage, code in recorded_code(outlined).items() if code != before[stage]]
        assert set().union(*(downstream(name, domain) for name, domain in changed)) == stages
    finally:
        outlined.run("git", "checkout", "-q", ".")
        outlined.run("dvc", "checkout", "-q", "--force")


def test_an_edit_of_a_filters_file_reaches_the_program_that_reads_it(outlined: Clone) -> None:
    """Ingest, which reads all of `data/source`, runs besides; what it and these write decides about the others."""
    folder = outlined.root / "data/source/articles/filters/uplifting/v1"
    names = [each["name"] for each in yaml.safe_load((folder / "config.yaml").read_text())["dimensions"]]
    example = json.dumps({"content": "It rained.", "scores": dict.fromkeys(names, 0)})
    edits = {"prefilter.yaml": "# edited", "prompt.md": "Take your time.", "examples.jsonl": example,
             "config.yaml": "# edited", "README.md": "edited"}  # fmt: skip
    try:
        for files, stages in (
            (["prefilter.yaml"], {"filter@articles"}),
            (["prompt.md"], {"label@articles"}),
            (["examples.jsonl"], {"label@articles"}),
            (["config.yaml", "README.md"], set()),
        ):
            before = recorded_code(outlined)
            for name in files:
                with (folder / name).open("a") as file:
                    file.write(f"{edits[name]}\n")
            outlined.run("dvc", "repro", "-q", "check")
            assert {name for name, code in recorded_code(outlined).items() if code != before[name]} == stages
    finally:
        outlined.run("git", "checkout", "-q", ".")
        (folder / "examples.jsonl").unlink(missing_ok=True)
        outlined.run("dvc", "repro", "-q", "check")


def test_an_edit_of_a_page_runs_nothing(outlined: Clone) -> None:
    for path in ("docs/climb.md", "data/source/climb/README.md", "data/source/climb/models/README.md"):
        (outlined.root / path).write_text("edited\n")
    assert stages_run(outlined) == set()


def test_a_model_to_start_from_is_a_dependency_of_train(outlined: Clone) -> None:
    model = outlined.root / "data/source/climb/models/first.safetensors"
    model.write_bytes(b"weights")
    try:
        assert stages_run(outlined) == downstream("train", "climb") | {"ingest@climb"} | downstream("filter", "climb")
    finally:
        model.unlink()
        outlined.run("dvc", "checkout", "-q", "--force")


def test_status_knows_what_is_stale_without_the_data(outlined: Clone, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", outlined.root, tmp_path / "bare"], check=True)
    bare = Clone(tmp_path / "bare")
    assert not (bare.root / "data/climb").exists()
    assert "stale" not in bare.run("winnow", "status", "--check").stdout
    add_comment(bare.root / "src/winnow/learn/loop.py")
    add_function(bare.root / "src/winnow/judge/gates.py")
    bare.override({"climb.split.val_share": 0.2})
    (bare.root / "data/source/retina/eyes.csv").write_text("image,level\n")
    (bare.root / "metrics/sessions/label.json").write_text("{}")
    done = bare.run("winnow", "status", "--check", expect=1)
    stale = {
        line.split(":")[0].strip(): line for line in done.stdout.splitlines() if line.startswith("  ") and "@" in line
    }
    assert set(stale) == {
        *(f"evaluate@{domain}" for domain in ASKED), "split@climb", "ingest@retina", "label@sessions",
    }  # fmt: skip
    assert stale["split@climb"] == "  split@climb: params: climb.split", "of its params only those that are others"
    assert "data/source/retina has changed" in stale["ingest@retina"]
    assert "metrics/sessions/label.json is not what the stage wrote" in stale["label@sessions"]
    assert "dvc.lock is stale for" in done.stderr


def test_status_sees_what_changed_in_dvc_yaml_and_the_lock(outlined: Clone, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", outlined.root, tmp_path / "bare"], check=True)
    bare = Clone(tmp_path / "bare")
    graph, lock = (yaml.safe_load((bare.root / name).read_text()) for name in ("dvc.yaml", "dvc.lock"))
    graph["stages"]["filter"]["outs"].append("data/${item.domain}/more")
    graph["stages"]["split"]["cmd"] += " --fast"
    del lock["stages"]["plot@retina"]
    (weights,) = (out for out in lock["stages"]["weight@climb"]["outs"] if out["path"] == "data/climb/weight")
    weights["md5"] = f"{'0' * 32}.dir"
    (bare.root / "dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False))
    (bare.root / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
    (bare.root / "metrics/environment.json").write_text(json.dumps({"python": "3.99.1"}))
    told = bare.run("winnow", "status").stdout.splitlines()
    stale = dict(line.strip().split(": ", 1) for line in told if line.startswith("  ") and "@" in line)
    assert stale == {
        **{f"filter@{domain}": f"it has not written data/{domain}/more yet" for domain in ASKED},
        **{f"split@{domain}": "its command is another" for domain in ASKED},
        "plot@retina": "it has never run",
        **{f"{name}@climb": "data/climb/weight is another" for name in ("train", "evaluate")},
    }, "each with its reason"
    assert any("instead of 3.99.1" in line for line in told)


def test_status_sees_data_that_are_not_those_of_the_lock(outlined: Clone) -> None:
    outlined.run("dvc", "repro", "-q")  # other tests leave other stages stale
    made = outlined.root / "data/retina/split/made.tsv"
    made.unlink()
    made.write_text("of another revision")
    try:
        done = outlined.run("winnow", "status", "--check", expect=1)
    finally:
        outlined.run("dvc", "checkout", "-q", "--force")
    stale = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ") and "@" in line]
    assert stale == ["split@retina: data/retina/split is not what the stage wrote (dvc checkout)"]
    assert "stale" not in outlined.run("winnow", "status", "--check").stdout


def test_the_recorded_modules_of_every_program_are_those_that_python_loads(outlined: Clone) -> None:
    programs = sorted(ROOT.glob("stages/*/[!_]*.py"))
    assert len(programs) == len(ORDER) * len(DOMAINS)
    names = {file: f"stages.{file.parent.name}.{file.stem}" for file in programs}
    loaded = loaded_by(names.values())
    for file, name in names.items():
        recorded = set(json.loads((outlined.root / "data/code" / file.parent.name / f"{file.stem}.json").read_text()))
        missing = {"stages", *loaded[name]} - recorded
        assert not missing, f"{name} runs code whose change would not re-run it"


LOADING = """
import json, os, sys, types
import pandas, pandera, pydantic, sklearn.ensemble, torch, torchvision, transformers  # once, not in every child

class Params(types.ModuleType):
    __getattr__ = lambda self, name: type(name, (pydantic.BaseModel,), {})

for module in sys.argv[1:]:
    reading, writing = os.pipe()
    if os.fork() == 0:
        params = f"winnow.domains.{module.split('.')[1]}.params"
        sys.modules[params] = Params(params)
        __import__(module)
        os.write(writing, json.dumps(sorted(sys.modules)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        print(json.dumps([module, [name for name in json.load(told) if name.startswith(("winnow.", "stages"))]]))
    os.wait()
"""


def loaded_by(programs: Iterable[str]) -> dict[str, set[str]]:
    """The modules of this repository, packages left out, that are in memory once each of the programs was imported.

    A stand-in takes the place of the domain's params.py, so that what only it needs is left out: it has no behaviour,
    and its values are tracked as params.
    """
    done = subprocess.run(
        [sys.executable, "-c", LOADING, *programs],
        cwd=ROOT,
        env={"PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(json.loads(line) for line in done.stdout.splitlines())
    return {
        program: {name for name in loaded if not is_package(name)} - {f"winnow.domains.{program.split('.')[1]}.params"}
        for program, loaded in found.items()
    }


def is_package(module: str) -> bool:
    base = ROOT / ("src" if module.startswith("winnow") else "") / module.replace(".", "/")
    return base.is_dir()


def test_package_files_are_empty() -> None:
    for file in [*ROOT.glob("src/winnow/**/__init__.py"), *ROOT.glob("stages/*/__init__.py")]:
        assert file.read_text() == "", f"{file.relative_to(ROOT)} holds code that no stage depends on"


def test_each_program_shows_the_command_that_runs_it() -> None:
    for file in ROOT.glob("stages/*/[!_]*.py"):
        docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
        assert docstring.endswith(f"\n    dvc repro {file.stem}@{file.parent.name}"), file.relative_to(ROOT)


def test_no_stage_names_runtime() -> None:
    assert "runtime" not in str([stage.get("params", []) for stage in PIPELINE["stages"].values()])


def test_no_source_path_is_listed_by_hand() -> None:
    deps = {dep for name, stage in PIPELINE["stages"].items() if name != "check" for dep in stage["deps"]}
    assert not [dep for dep in deps if dep.startswith(("src/", "stages/"))]


def test_every_plot_is_drawn_from_columns_that_exist() -> None:
    """DVC leaves out what it does not find, with one line among many."""
    plots = [(title, plot["y"]) for each in PIPELINE["plots"] for title, plot in each.items()]
    assert {title.split()[0] for title, _ in plots} == set(DOMAINS)
    for title, columns in plots:
        for path, column in columns.items():
            header = (ROOT / path).read_text().partition("\n")[0].split("\t")
            assert column in header, f"{title}: {path} has no column {column}"
