"""The command line: what a person types and reads."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import pytest
import typer
from dvc.utils.hydra import apply_overrides
from hydra.core.override_parser.overrides_parser import OverridesParser
from typer.testing import CliRunner

from winnow.cli import app as cli
from winnow.cli.app import app
from winnow.domains.load import domain_names, load
from winnow.pipeline import presets
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import folder_digest
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.show.page import digest
from winnow.workspace.validation import validate_params

ROOT = Path(__file__).resolve().parents[2]
PRESETS = [(path.parent.name, path.stem) for path in sorted(ROOT.glob("presets/*/*.yaml"))]


def winnow(
    folder: Path, *arguments: str, code: Path | None = None, program: str = "from winnow.cli.app import main; main()"
) -> "subprocess.CompletedProcess[str]":
    """The command as run in a checkout, by its own code unless another checkout's is given."""
    environment = {**os.environ, "PYTHONPATH": str((code or folder) / "src")}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_schema_is_current(tmp_path: Path) -> None:
    done = winnow(ROOT, "schema", str(tmp_path / "schema.json"))
    assert done.returncode == 0, done.stderr
    current = (tmp_path / "schema.json").read_text()
    assert current == (ROOT / "params.schema.json").read_text(), "run `winnow schema`"


def test_params_yaml_points_editors_at_the_schema_and_is_stable_under_a_round_trip(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=params.schema.json\n")
    copy = tmp_path / "params.yaml"
    copy.write_text(text)
    presets.apply({}, copy)
    assert copy.read_text() == text


def test_an_experiment_loses_no_comment_of_params_yaml(tmp_path: Path) -> None:
    """`dvc exp run -S` writes lists anew, without a comment that follows one: none may."""
    copy = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", copy)
    apply_overrides(str(copy), ["climb.train.epochs=7"])
    assert copy.read_text() == (ROOT / "params.yaml").read_text().replace("epochs: 20\n", "epochs: 7\n", 1)


@pytest.mark.parametrize("domain", domain_names())
def test_every_field_says_what_it_means_and_every_number_has_a_bound(domain: str) -> None:
    fields = [
        (name, key, field)
        for name, section in json_sections(load(domain, "params").Params.model_json_schema())
        for key, field in section.get("properties", {}).items()
    ]
    assert fields
    for name, key, field in fields:
        assert field.get("description"), f"{name}.{key} has no description"
        if field.get("type") in {"integer", "number"} and key not in {"target", "review"}:
            bounds = {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}
            assert bounds & set(field), f"{name}.{key} has no bound"


def json_sections(schema: dict[str, object]) -> list[tuple[str, dict[str, dict[str, dict[str, object]]]]]:
    return [("Params", schema), *schema["$defs"].items()]  # type: ignore[list-item, attr-defined]


@pytest.mark.parametrize(("domain", "name"), PRESETS)
def test_every_preset_is_valid_and_survives_being_printed(
    domain: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(app, ["preset", domain, name], catch_exceptions=False)
    validate_params(Document(PARAMS_FILE).overlaid(presets.read(domain, name), (domain,)))
    options = done.stdout.split()
    assert options[::2] == ["-S"] * (len(options) // 2)
    parsed = OverridesParser.create().parse_overrides(options[1::2])  # as `dvc exp run -S` reads them
    given = preset_values(domain, name)
    left = presets.left_by_tiny(domain, given, Document(PARAMS_FILE).content)  # where params.yaml is tiny's
    assert {each.key_or_group: each.value() for each in parsed} == left | given
    assert presets.meaning(domain, name), "its first line says what it is for"


def test_the_list_of_presets_has_one_column_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    lines = CliRunner().invoke(app, ["preset", "retina", "list"], catch_exceptions=False).stdout.splitlines()
    names = presets.names("retina")
    start = max(map(len, names)) + 2
    assert [line[:start].rstrip() for line in lines] == names
    assert all(line[start - 1] == " " != line[start] for line in lines)


def test_an_unknown_preset_does_not_let_an_experiment_run_with_the_defaults(workspace: Path) -> None:
    """A shell ignores that `winnow` failed in `dvc exp run plot@climb $(winnow preset climb ful)`."""
    done = winnow(workspace, "preset", "climb", "ful")
    assert done.returncode == 1
    assert "there is no preset `ful` for climb" in done.stderr
    assert done.stdout == "--no-such-preset\n"  # which dvc rejects
    applied = winnow(workspace, "preset", "climb", "ful", "--apply")
    assert (applied.returncode, applied.stdout) == (1, "")


@pytest.mark.parametrize("domain", sorted({domain for domain, _ in PRESETS}))
def test_what_tiny_replaced_is_the_default_again_under_another_preset(domain: str) -> None:
    shipped = Document(ROOT / "params.yaml").content
    tiny = preset_values(domain, "tiny")
    under_tiny = json.loads(json.dumps(shipped))
    for key, value in tiny.items():
        *parents, last = key.split(".")
        at(under_tiny, ".".join(parents))[last] = value
    for name in (name for each, name in PRESETS if each == domain):
        given = preset_values(domain, name)
        assert presets.left_by_tiny(domain, given, shipped) == {}, "nothing of tiny is there"
        left = presets.left_by_tiny(domain, given, under_tiny)
        assert left == {
            key: at(shipped, key) for key, value in tiny.items() if key not in given and value != at(shipped, key)
        }


def test_what_another_preset_set_is_told_to_be_kept(workspace: Path) -> None:
    assert "kept from before" not in winnow(workspace, "preset", "sessions", "simple", "--apply").stderr
    editor = workspace / "params.yaml"
    changed = {"sessions.train.network.heads": 2, "sessions.train.mode": "advanced"}
    presets.apply(changed, editor)
    simple = preset_values("sessions", "simple")
    assert "sessions.train.network.heads" not in simple
    for option in ([], ["--apply"]):
        told = winnow(workspace, "preset", "sessions", "simple", *option).stderr
        assert "kept from before, as simple does not set them: sessions.train.network.heads=2;" in told
        assert "`winnow preset sessions default --apply` first" in told
    assert "kept from before" not in winnow(workspace, "preset", "sessions", "default", "--apply").stderr
    assert "kept from before" not in winnow(workspace, "preset", "sessions", "simple", "--apply").stderr


def test_the_verb_resets_what_tiny_replaced_and_says_so(workspace: Path) -> None:
    params = workspace / "params.yaml"
    for name in ("tiny", "full"):
        done = winnow(workspace, "preset", "climb", name, "--apply")
        assert done.returncode == 0, done.stderr
    assert "climb.evaluate.grade_judge.trees" in done.stderr
    assert at(Document(params).content, "climb.evaluate.grade_judge.trees") == 100
    assert winnow(workspace, "preset", "climb", "tiny", "--apply").returncode == 0
    printed = winnow(workspace, "preset", "climb", "full")
    assert "climb.evaluate.grade_judge.trees=100" in printed.stdout.split()
    assert winnow(workspace, "preset", "climb", "default", "--apply").stderr == ""
    assert params.read_text() == (ROOT / "params.yaml").read_text()


def test_default_has_every_value_that_a_preset_sets_as_params_yaml_has_it() -> None:
    params = Document(ROOT / "params.yaml").content
    for domain in {each for each, name in PRESETS if name == "default"}:  # a new domain may have none
        default = preset_values(domain, "default")
        touched = {key for each, name in PRESETS if each == domain for key in preset_values(domain, name)}
        assert touched - {f"{domain}.ingest.sources"} == default.keys()
        assert {key for key, value in default.items() if at(params, key) != value} == set(), "change both"


def test_a_preset_whose_files_are_not_here_leaves_the_sources_of_the_user(workspace: Path) -> None:
    mine = [{"format": "clean_pages", "path": "data/source/documents/mine"}]
    presets.apply({"documents.ingest.sources": mine}, workspace / "params.yaml")
    done = winnow(workspace, "preset", "documents", "real_pages")
    assert "ingest.sources" not in done.stdout
    assert "documents.ingest.sources" in done.stderr
    (workspace / "data/source/documents/clean").mkdir()
    assert "ingest.sources" in winnow(workspace, "preset", "documents", "real_pages").stdout


OWN_ARTICLES = {
    "articles.common.definition": "ellipse/v1",
    "articles.label.use_scores": True,
    "articles.label.oracle.provider": "openai",
    "articles.label.oracle.model": "mine",
    "articles.label.oracle.prices.model": "mine",
    "articles.label.oracle.base_url": "http://127.0.0.1:8000/v1",
}


def test_default_takes_presets_back_and_leaves_what_belongs_to_own_data(workspace: Path) -> None:
    """Without sources of one's own, the same settings go back too; both ways every replaced value is printed."""
    params = workspace / "params.yaml"
    mine = [{"format": "jsonl", "path": "data/source/articles/mine.jsonl"}]
    presets.apply({**OWN_ARTICLES, "articles.train.epochs": 3, "articles.ingest.sources": mine}, params)
    done = winnow(workspace, "preset", "articles", "default", "--apply")
    assert done.returncode == 0, done.stderr
    content = Document(params).content
    assert {key: at(content, key) for key in OWN_ARTICLES} == OWN_ARTICLES
    assert at(content, "articles.train.epochs") == 10, "a training's setting is taken back"
    assert [line.strip() for line in done.stdout.splitlines()[:-1]] == ["articles.train.epochs: 3 → 10"]
    assert "articles.common.definition=ellipse/v1" in done.stderr
    printed = winnow(workspace, "preset", "articles", "default").stdout.split()
    assert "articles.common.definition=ellipse/v1" in printed
    presets.apply({"articles.ingest.sources": []}, params)
    done = winnow(workspace, "preset", "articles", "default", "--apply")
    assert at(Document(params).content, "articles.common.definition") == "uplifting/v1"
    assert "articles.label.oracle.provider: openai → rules" in done.stdout


def at(params: Any, key: str) -> Any:
    for part in key.split("."):
        params = params[part]
    return params


def test_params_that_stop_a_preset_do_not_let_an_experiment_run_without_it(workspace: Path) -> None:
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("seed:", "sede:", 1))
    done = winnow(workspace, "preset", "climb", "full")
    assert (done.returncode, done.stdout) == (1, "--no-such-preset\n")


def test_a_preset_mends_what_it_sets_and_needs_no_other_domain(workspace: Path) -> None:
    """What is wrong elsewhere in its own domain stops it."""
    params, plays = workspace / "params.yaml", "data/source/sessions/a.csv"
    columns = {"header": True, "user": "u", "item": ["s"], "timestamp": None, "genre": None, "skipped": None}
    source = {"format": "events", "path": plays, "events": {**columns, "share_played": None}}
    wrong = {"sessions.train.model": "genre_gat", "sessions.train.epochs": -1, "climb.train.epochs": "many"}
    presets.apply({**wrong, "sessions.ingest.sources": [source]}, params)
    for name, code in (("lastfm_enhanced", 1), ("lastfm", 0)):
        done = winnow(workspace, "preset", "sessions", name, "--apply")
        assert done.returncode == code, done.stderr
        assert ("genre_gat" in done.stderr) == bool(code)
    assert at(Document(params).content, "sessions.train.model") == "gat"
    assert winnow(workspace, "preset", "sessions", "tiny", "--apply").returncode == 0, "a try needs no genres"
    presets.apply({"sessions.label.confidence_scale": -1}, params)
    assert "sessions.label.confidence_scale" in winnow(workspace, "preset", "sessions", "tiny", "--apply").stderr


def test_a_preset_applied_edits_params_yaml_and_keeps_its_comments(workspace: Path) -> None:
    domain, name = PRESETS[0]
    assert winnow(workspace, "preset", domain, name, "--apply").returncode == 0
    changed = workspace / "params.yaml"
    assert changed.read_text().startswith("# yaml-language-server")
    content = Document(changed).content
    for key, value in preset_values(domain, name).items():
        found = content
        for part in key.split("."):
            found = found[part]
        assert found == value


def test_an_exported_model_may_be_read_by_whoever_may_read_other_files(workspace: Path) -> None:
    model, judgement = workspace / "data/climb/train/model", workspace / "metrics/climb/judgement.json"
    model.mkdir(parents=True)
    (model / "model.safetensors").write_bytes(b"1, 2, 3")
    (model / "model.safetensors").chmod(0o600)  # as safetensors saves it
    shutil.copytree(ROOT / "metrics/climb", judgement.parent, dirs_exist_ok=True)
    judged = json.loads(judgement.read_text())
    judgement.write_text(json.dumps({**judged, "model_digest": folder_digest(model)}))
    done = winnow(workspace, "export", "climb", "model", "--out", "given")
    assert done.returncode == 0, done.stderr
    assert (workspace / "given/model.safetensors").stat().st_mode == judgement.stat().st_mode


def preset_values(domain: str, name: str) -> dict[str, object]:
    return presets.overrides(domain, presets.read(domain, name))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["preset", "climb", "nonsense"], "there is no preset `nonsense` for climb"),
        (["export", "nonsense", "split"], "there is no domain `nonsense`"),
        (["export", "climb", "nonsense"], "climb has no export of `nonsense`\n  to do: one of model, split"),
        (["summarize", "nonsense"], "there is no domain `nonsense`"),
        (["preset", "nonsense", "list"], "there is no domain `nonsense`"),
        (["report", "--stale", "nonsense"], "nonsense does not exist\n  to do: winnow status --out writes it"),
    ],
)
def test_a_wrong_name_is_one_message_with_the_right_ones(arguments: list[str], message: str) -> None:
    done = winnow(ROOT, *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in winnow(ROOT, "--debug", *arguments).stderr


def test_an_empty_list_of_presets_is_an_error(workspace: Path) -> None:
    shutil.rmtree(workspace / "presets/climb")
    done = winnow(workspace, "preset", "climb", "list")
    assert done.returncode == 1
    assert "climb has no preset" in done.stderr


def test_params_without_domains_are_one_message(workspace: Path) -> None:
    file = workspace / "params.yaml"
    file.write_text(file.read_text().replace("\ndomains:", "\ndomain:"))
    done = winnow(workspace, "status")
    assert done.returncode == 1
    assert "unknown key `domain`; did you mean `domains`?" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_code_of_another_checkout_is_refused(workspace: Path) -> None:
    done = winnow(workspace, "preset", "climb", "list", code=ROOT)
    assert done.returncode == 1
    assert "which is not part of the working folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert winnow(workspace, "preset", "climb", "list").returncode == 0


HEAVY = {"torch", "dvc", "pandas", "pandera", "matplotlib", "pyarrow", "sklearn", "scipy", "cv2"}
"""Packages that take a tenth of a second and more to import."""


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (["--help"], set()),
        (["--version"], set()),
        (["preset", "climb", "list"], set()),
        (["preset", "climb", "tiny"], set()),
        (["status"], {"dvc"}),
        *[([domain, "--help"], set()) for domain in domain_names()],
        (["climb", "generate", "--grade", "6C+", "--model", "nowhere"], set()),
    ],
)
def test_a_command_loads_only_what_it_needs(workspace: Path, arguments: list[str], needed: set[str]) -> None:
    (workspace / ".dvc").mkdir()
    (workspace / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    told = "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    program = f"import atexit, sys; atexit.register(lambda: {told}); from winnow.cli.app import main; main()"
    done = winnow(workspace, *arguments, program=program)
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "winnow" in loaded
    assert loaded & HEAVY == needed


def test_every_command_and_domain_is_listed_with_what_it_does() -> None:
    told = " ".join(re.sub(r"[^\w.`$-]+", " ", winnow(ROOT, "--help").stdout).split())
    for domain in domain_names():
        assert re.search(rf" {domain} [A-Z]\w+ ", told), domain
        verbs = load(domain, "cli").app.registered_commands
        shown = winnow(ROOT, domain, "--help").stdout
        assert all((verb.name or verb.callback.__name__) in shown for verb in verbs)
    assert " status Print each domain" in told


def test_commands_find_their_checkout_from_any_folder_in_it(workspace: Path, tmp_path: Path) -> None:
    (workspace / "docs").mkdir()
    expected = winnow(workspace, "preset", "climb", "tiny").stdout
    assert expected
    for folder, options in (
        (workspace / "docs", []),
        (tmp_path, ["-C", "workspace"]),
        (tmp_path, ["-C", "workspace/docs"]),
    ):
        assert winnow(folder, *options, "preset", "climb", "tiny", code=workspace).stdout == expected
    winnow(workspace / "docs", "schema", "mine.json", code=workspace)
    assert (workspace / "docs/mine.json").read_text() == (ROOT / "params.schema.json").read_text()
    assert winnow(workspace / "docs", "schema", code=workspace).returncode == 0
    assert (workspace / "params.schema.json").is_file()
    done = winnow(tmp_path, "preset", "climb", "tiny", code=workspace)
    assert done.returncode == 1
    assert "this command needs a checkout of winnow" in done.stderr
    assert "-C" in done.stderr


def test_the_version_is_that_of_the_project(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert winnow(tmp_path, "--version", code=ROOT).stdout == project["version"] + "\n"


def commands() -> list[list[str]]:
    """Every command that there is, with those of each domain."""
    group = typer.main.get_group(app)
    context = typer.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = command.list_commands(context) if name in domain_names() else []
        found += [[name, verb] for verb in inner] or [[name]]
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_shows_an_example_of_its_own(command: list[str]) -> None:
    shown = " ".join(CliRunner().invoke(app, [*command, "--help"]).stdout.split())
    example = shown.partition("Example: ")[2]
    assert example.startswith(f"winnow {' '.join(command)}"), shown
    named = set(re.findall(r" (--[a-z-]+)", example.partition("╭")[0].partition("Options")[0]))
    assert named <= set(re.findall(r"--[a-z-]+", shown.partition("Options")[2])), "an option that there is not"


def test_a_command_prints_json_on_demand_alone() -> None:
    group = typer.main.get_group(app)
    context = typer.Context(group)
    defaults = {}
    for name, *verb in commands():
        command: Any = group.get_command(context, name)
        command = command.get_command(context, *verb) if verb else command
        defaults |= {" ".join([name, *verb]): each.default for each in command.params if "--json" in each.opts}
    assert len(defaults) >= 12
    assert {name for name, default in defaults.items() if default} == set()


@pytest.mark.parametrize(("typed", "expected"), [("rows cl", "climb"), ("climb gen", "generate"), ("doc", "doctor")])
def test_a_shell_completes_commands_and_domains(typed: str, expected: str) -> None:
    words = f"winnow {typed}"
    asked = {"_WINNOW_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    program = "import sys; sys.argv[0] = 'winnow'; from winnow.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **asked, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert expected in done.stdout.split()
    assert "Traceback" not in done.stderr


def test_status_as_json_tells_what_the_text_tells() -> None:
    told = json.loads(winnow(ROOT, "status", "climb", "--json").stdout)
    assert list(told) == ["climb"]
    evaluated = json.loads((ROOT / "metrics/climb/evaluate.json").read_text())
    assert told["climb"]["evaluate"] == evaluated
    stale = bool(told["climb"]["stale"])
    assert ("stale" in winnow(ROOT, "status", "climb").stdout) == stale


def test_run_as_json_prints_what_status_does_once_all_has_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the domains that were asked for, in their order, and all else elsewhere than on the standard output."""
    asked: list[object] = []

    def run_domains(domains: list[str], jobs: int, show_results: Callable[[], None], out: TextIO) -> None:
        asked.append((domains, jobs))
        print("a stage", file=out)
        show_results()

    stale = {"train@retina": ["its code has changed"]}
    monkeypatch.setattr("winnow.workspace.status.stale_stages", lambda _: stale)
    monkeypatch.setattr("winnow.workspace.run.run_domains", run_domains)
    monkeypatch.chdir(ROOT)
    ran = CliRunner().invoke(app, ["run", "retina", "climb", "retina", "--jobs", "3", "--json"], catch_exceptions=False)
    assert CliRunner().invoke(app, ["run", "climb", "--jobs", "1"], catch_exceptions=False).exit_code == 0
    assert CliRunner().invoke(app, ["run", "climb", "--jobs", "0"]).exit_code == 2
    assert asked == [(["retina", "climb"], 3), (["climb"], 1)]
    assert "a stage" in ran.stderr
    told = json.loads(ran.stdout)
    assert list(told) == ["retina", "climb"]
    for name, record in told.items():
        shown = CliRunner().invoke(app, ["status", name, "--json"], catch_exceptions=False)
        assert json.loads(shown.stdout) == {name: record}
    assert told["retina"]["stale"] == stale


def test_serve_listens_where_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr("winnow.workspace.serving.serve", lambda *arguments: asked.append(arguments))
    options = ["--model", "given", "--host", "127.0.0.2", "--port", "0"]
    assert CliRunner().invoke(app, ["serve", "climb", *options]).exit_code == 0
    assert CliRunner().invoke(app, ["serve"]).exit_code == 0
    assert asked == [(["climb"], Path("given"), "127.0.0.2", 0), ([], None, "127.0.0.1", 8000)]


def test_init_replaces_on_demand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[Path], bool]] = []

    def plan(_: str, files: list[Path], *, replace: bool = False) -> None:
        asked.append((files, replace))
        raise WinnowError("stop here")

    monkeypatch.setattr("winnow.workspace.own_data.plan", plan)
    monkeypatch.chdir(ROOT)
    for options in ([], ["--replace"]):
        assert str(CliRunner().invoke(app, ["init", "climb", "mine.json", *options]).exception) == "stop here"
    assert asked == [([Path("mine.json")], False), ([Path("mine.json")], True)]


def test_status_writes_all_that_is_stale_whichever_domain_it_shows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As `winnow report --stale` reads it; and --check tells by its exit code."""
    stale = {"train@retina": ["its code has changed"], "filter@climb": ["params: climb.filter"]}
    monkeypatch.setattr("winnow.workspace.status.stale_stages", lambda _: stale)
    monkeypatch.chdir(ROOT)
    for shown in ([], ["climb"]):
        file = tmp_path / f"{len(shown)}.json"
        done = CliRunner().invoke(app, ["status", *shown, "--out", str(file)])
        assert done.exit_code == 0
        assert ("train@retina" in done.stdout) == (not shown)
        assert json.loads(file.read_text()) == stale
    assert [CliRunner().invoke(app, ["status", *shown, "--check"]).exit_code for shown in ([], ["climb"])] == [1, 1]
    assert CliRunner().invoke(app, ["status", "articles", "--check"]).exit_code == 0, "of another domain"
    stale["data/raw/eyes.dvc"] = ["it has changed"]
    assert CliRunner().invoke(app, ["status", "articles", "--check"]).exit_code == 1, "of any domain"
    stale.clear()
    assert CliRunner().invoke(app, ["status", "--check"]).exit_code == 0


@pytest.fixture
def results(workspace: Path) -> Path:
    """A checkout with results, of which the params of climb are not valid."""
    shutil.copytree(ROOT / "metrics", workspace / "metrics")
    shutil.copy(ROOT / "dvc.lock", workspace)
    (workspace / ".dvc").mkdir()
    (workspace / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    presets.apply({"climb.train.epochs": "many"}, workspace / "params.yaml")
    return workspace


def test_what_is_invalid_in_one_domain_does_not_hide_the_status_of_the_others(results: Path) -> None:
    line = (results / "params.yaml").read_text().partition("epochs: many")[0].count("\n") + 1
    done = winnow(results, "status")
    assert done.returncode == 1
    assert f"climb: invalid\n  params.yaml:{line}: `climb.train.epochs` is 'many'" in done.stdout
    others = [name for name in domain_names() if name != "climb"]
    assert all(re.search(rf"^{name}: .* \(.* to .*\)", done.stdout, re.MULTILINE) for name in others)
    assert f"params.yaml:{line}" in done.stderr
    assert "Traceback" not in done.stderr
    told = winnow(results, "status", "--json")
    assert told.returncode == 1
    parsed = json.loads(told.stdout)
    assert list(parsed["climb"]) == ["invalid"]
    assert all(parsed[name]["evaluate"] for name in others)
    assert winnow(results, "status", "retina").returncode == 0, "it is valid"
    presets.apply({"retina.evaluate.gate.headline": "no_such_metric"}, results / "params.yaml")
    assert "no_such_metric" in winnow(results, "status", "retina").stdout, "what check refuses is invalid too"


def test_the_board_shows_all_and_says_whose_params_are_invalid(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(results)
    for name in ("climb", "retina"):
        article = f'<article data-judgement="{digest(name)}">the page of {name}</article>'
        page = results / "data" / name / "plot" / "report.html"
        page.parent.mkdir(parents=True)
        page.write_text(f"<main>\n{article}\n</main>")
    for arguments, code in ((["board"], 1), (["board", "retina"], 0)):
        done = winnow(results, *arguments)
        assert done.returncode == code, done.stderr
        board = (results / "build/board.html").read_text()
        assert "the page of retina" in board
        assert ("the page of climb" in board) == bool(code)
        assert ("climb.train.epochs" in board) == bool(code)


def test_rows_of_an_earlier_run_are_told_as_such(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the first line, of stages that the stale one comes before; a stale training is not about rows."""
    monkeypatch.chdir(results)
    monkeypatch.setattr("winnow.cli.data.enter_checkout", lambda: None)
    stale: dict[str, list[str]] = {}
    monkeypatch.setattr("winnow.workspace.status.stale_stages", lambda: stale)
    rows = ["rows", "retina"]
    current = {
        stage: CliRunner().invoke(app, [*rows, "--stage", stage]).stdout for stage in ("ingest", "filter", "weight")
    }
    stale |= {"train@retina": ["params: retina.train"], "filter@climb": ["params: climb.filter"]}
    assert CliRunner().invoke(app, [*rows, "--stage", "weight"]).stdout == current["weight"]
    stale["filter@retina"] = ["params: retina.filter"]
    for stage, told in current.items():
        first, _, rest = CliRunner().invoke(app, [*rows, "--stage", stage]).stdout.partition("\n")
        if stage == "ingest":
            assert f"{first}\n{rest}" == told
        else:
            assert rest == told
            assert all(each in first for each in ("stale", "retina.filter", "dvc repro"))
    done = CliRunner().invoke(app, [*rows, "--json"])
    assert json.loads(done.stdout)["ingest"]["rows"]
    assert "stale" in done.stderr


@pytest.mark.parametrize("judged", [True, False])
def test_what_fails_with_a_model_that_nobody_judged_is_one_message(
    judged: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as an index in damaged weights that leads out of a table; with a judged model it is an error of ours."""

    def failing(**_: object) -> None:
        monkeypatch.setattr(cli, "unjudged", [] if judged else [tmp_path / "model"])
        raise IndexError("index out of range in self")

    monkeypatch.setattr(cli, "app", failing)
    with pytest.raises(IndexError if judged else SystemExit, match="index out of range in self") as caught:
        cli.main()
    if not judged:
        assert str(tmp_path / "model") in str(caught.value)
        assert "to do:" in str(caught.value)
