"""How a stage runs: its params, tables, seed and metrics, and the message when it fails."""

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import numpy as np
import pandas as pd

from winnow.pipeline import console, environment, ledger
from winnow.pipeline.checkout import check_code_location
from winnow.pipeline.digests import check_code_unchanged
from winnow.pipeline.errors import ParamsError, SourceError, TableError, WinnowError, from_os_error
from winnow.pipeline.files import JUDGEMENT, folder_digest, is_watched, write_json
from winnow.pipeline.leaving import without_teardown
from winnow.pipeline.params import PARAMS_FILE, Document, Runtime
from winnow.pipeline.parent import orphaned, started_by_dvc
from winnow.pipeline.section import Section
from winnow.pipeline.seeds import derive_seed
from winnow.pipeline.tables import PIECE, Table, read_table, table_pieces, table_writer, write_table

C = TypeVar("C", bound=Section)
P = TypeVar("P", bound=Section)

ACCOUNTED = ("ingest", "filter", "label", "split", "weight")
"""Stages that must account for every row."""
ANNOUNCED = {"evaluate": "evaluating the model", "plot": "drawing"}
"""Stages that say what they are doing when it takes long; a training has its own lines."""


class Stage(Generic[C, P]):
    """What a stage may use: its params, a seed, readers and writers. Paths are relative to the repository's root."""

    def __init__(
        self,
        domain: str,
        name: str,
        common: C,
        params: P,
        runtime: Runtime,
        seed: int,
        *,
        embedded: bool = True,
        written: str = "",
    ) -> None:
        self.domain = domain
        self.name = name
        self.common = common
        self.params = params
        self.runtime = runtime
        self.seed = derive_seed(seed, domain, name)
        self.embedded = embedded
        """whether the data are the embedded ones, not a user's"""
        self.written = written
        """params.yaml as it was read"""
        self._metrics: dict[str, Any] = {}
        self._rows_in, self._parts = 0, dict[str, int]()
        self._pictures: set[Path] = set()
        self._conclusion = ""

    def rng(self) -> np.random.Generator:
        """A generator at the start of this stage's stream."""
        return np.random.default_rng(self.seed)

    def read(self, path: str, schema: type[Table]) -> pd.DataFrame:
        """A table of an earlier stage, such as `ingest/routes.parquet`; raises TableError."""
        return read_table(Path("data", self.domain, path), schema)

    def pieces(self, path: str, schema: type[Table]) -> Iterator[pd.DataFrame]:
        """A table of an earlier stage a piece at a time, see `pipeline.tables.table_pieces`; raises TableError."""
        return table_pieces(Path("data", self.domain, path), schema)

    def write(self, path: str, table: pd.DataFrame, schema: type[Table], *, part: int = PIECE) -> None:
        """A table of this stage, such as `routes.parquet`, in parts of so many rows; raises TableError."""
        write_table(self.output(path), table, schema, part=part)

    def writer(self, path: str, schema: type[Table]) -> AbstractContextManager[Callable[[pd.DataFrame], None]]:
        """A table of this stage that is written piece by piece, see `pipeline.tables.table_writer`."""
        return table_writer(self.output(path), schema)

    def write_pieces(self, path: str, pieces: Iterable[pd.DataFrame], schema: type[Table]) -> None:
        """A table of this stage of which only a piece is in memory at a time; raises TableError."""
        with self.writer(path, schema) as add:
            for piece in pieces:
                add(piece)

    def source(self, path: str) -> Path:
        """A user's file in `data/source/<domain>/`; raises SourceError when it is elsewhere or missing."""
        return self._source(path, Path.is_file)

    def source_folder(self, path: str) -> Path:
        """A user's folder in `data/source/<domain>/`; raises SourceError when it is elsewhere or missing."""
        return self._source(path, Path.is_dir)

    def source_path(self, path: str) -> Path:
        """A user's file or folder in `data/source/<domain>/`; raises SourceError when it is elsewhere or missing."""
        return self._source(path, Path.exists)

    def _source(self, path: str, is_there: Callable[[Path], bool]) -> Path:
        folder = Path("data", "source", self.domain)
        if not is_watched(Path(path), folder):
            raise SourceError(
                f"{path} lies outside {folder}, where DVC would not see it change",
                where=f"params.yaml: {self.domain}.ingest.sources",
                fix=f"copy it to {folder}/ and `dvc add` it there",
            )
        if not is_there(Path(path)):
            found = (file for file in folder.glob("*") if file.suffix not in {".md", ".dvc"})
            present = sorted(file.name for file in found if not file.name.startswith("."))
            raise SourceError(
                f"{path} does not exist",
                where=f"params.yaml: {self.domain}.ingest.sources",
                fix=f"put it there, or `dvc pull` it; {folder} holds {', '.join(present) or 'no data file'}",
            )
        return Path(path)

    def input(self, path: str) -> Path:
        """A file or folder of an earlier stage, such as `train/model`; raises TableError when missing."""
        found = Path("data", self.domain, path)
        if not found.exists():
            raise TableError(
                f"{found} does not exist", fix="run the stage that makes it: `dvc repro`, or `dvc checkout`"
            )
        return found

    def output(self, path: str) -> Path:
        """Where this stage's file `path` goes; raises WinnowError when the `dvc` that started the stage was killed."""
        check_parent()
        target = Path("data", self.domain, self.name, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".png":
            self._pictures.add(target)
        return target

    @property
    def curves(self) -> Path:
        """The folder that the train stage's DVCLive writes, and that plot reads."""
        return Path("metrics", self.domain, "train")

    def account(self, rows_in: int, **parts: int) -> None:
        """Record where the rows went, in the metrics; raises TableError unless the parts sum to `rows_in`.

        The first part is the stage's result. A metric of a part's name, or of `<part>_for`, gives its reasons.
        """
        if rows_in != sum(parts.values()):
            listed = " + ".join(f"{count} {name}" for name, count in parts.items())
            raise TableError(
                f"{rows_in} rows came in, but {listed} = {sum(parts.values())}", where=f"{self.name}@{self.domain}"
            )
        self._rows_in, self._parts = rows_in, parts
        self.metrics(rows_in=rows_in, **{f"rows_{name}": count for name, count in parts.items()})

    def metrics(self, **values: Any) -> None:
        """Add to `metrics/<domain>/<stage>.json`, which is written when the stage has succeeded."""
        self._metrics.update(values)

    def judgement(self, content: Mapping[str, Any]) -> None:
        """Write `metrics/<domain>/judgement.json`, all that evaluate found, and which model's files it judged.

        DVC does not list it as metrics.
        """
        check_parent()
        digest = folder_digest(self.input("train/model"))
        write_json(Path("metrics", self.domain, JUDGEMENT), {**content, "model_digest": digest})

    def finish(self) -> None:
        """Write the metrics; raises TableError when a stage did not account for its rows."""
        check_parent()
        if self.name in ACCOUNTED and not self._parts:
            raise TableError(f"{self.name}@{self.domain} did not account for its rows", fix="call stage.account(...)")
        if self._metrics:
            write_json(Path("metrics", self.domain, f"{self.name}.json"), self._metrics)

    def conclude(self, text: str) -> None:
        """What the last line says of a stage that neither accounts for rows nor judges, after its pictures."""
        self._conclusion = text

    def summary(self) -> str:
        """The result in one line, without the stage's name."""
        if self._parts:
            found = {name: self._metrics.get(f"{name}_for", self._metrics.get(name)) for name in self._parts}
            reasons = {name: why for name, why in found.items() if isinstance(why, Mapping)}
            return console.rows_line(self._rows_in, self._parts, reasons, equal=self.name == "split")
        if "verdict" in self._metrics:
            verdict, value, baseline = console.headline(self._metrics)
            return f"{verdict}: {value}, strongest baseline {baseline}"
        if self._pictures:
            drawn = f"{len(self._pictures)} pictures in data/{self.domain}/{self.name}"
            return ". ".join(filter(None, (drawn, self._conclusion)))
        return self._conclusion


def load_stage(domain: str, name: str, common: type[C], params: type[P]) -> Stage[C, P]:
    """The stage with its sections of params.yaml; raises ParamsError."""
    document = Document(PARAMS_FILE)
    seed = document.content.get("seed")
    if not isinstance(seed, int):
        raise ParamsError(f"`seed` is {seed!r}: a whole number is expected", where=str(PARAMS_FILE))
    return Stage(
        domain,
        name,
        document.section((domain, "common"), common),
        document.section((domain, name), params),
        document.section(("runtime",), Runtime),
        seed,
        embedded=not document.content[domain].get("ingest", {}).get("sources"),
        written=document.text,
    )


def run_stage(main: Callable[[Stage[C, P]], None]) -> None:
    """Run a stage program `stages/<domain>/<name>.py`: its `main` names its sections as `Stage[Common, Own]`."""
    program = Path(main.__code__.co_filename).resolve()
    domain, name = program.parent.name, program.stem
    title = f"{name}@{domain}"
    (hint,) = (value for key, value in get_type_hints(main).items() if key != "return")
    common, params = get_args(hint)

    def run() -> None:
        if started_by_dvc():
            check_code_unchanged(domain, name)
        with ledger.entry(title):
            stage = load_stage(domain, name, common, params)
            if name in ANNOUNCED:
                console.announce(title)
                console.doing(ANNOUNCED[name])
            main(stage)
            console.announce("")
            check_params_unchanged(stage)
            if is_main_process():
                stage.finish()
                environment.record()
                if summary := stage.summary():
                    console.say(f"{title}  {summary}  {console.process_seconds():.1f} s")

    run_program(
        f"stages.{domain}.{name}",
        run,
        title,
        "  The results of all other stages are unchanged. DVC removes a stage's own results before it runs; restore\n"
        f"  the last committed ones with `dvc checkout {title}` and `git checkout metrics/{domain}`, which also\n"
        "  replace a report that it has just written there: read that first.",
    )


@without_teardown()
def run_program(module: str, run: Callable[[], None], title: str, consequence: str) -> None:
    """Run a program of `stages/` that has the option `--debug` alone: an error ends in its message and exit code 1.

    `consequence` follows the message: which results stand.
    """
    described = sys.modules["__main__"].__doc__
    parser = argparse.ArgumentParser(
        f"python -m {module}", description=described, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    debug = parser.parse_args().debug
    signal.signal(signal.SIGINT, signal.default_int_handler)  # `stages` leaves at once before this point
    try:
        if "stages" not in sys.modules:
            raise WinnowError(
                f"{sys.argv[0]} was started as a file, without the settings that every program needs",
                fix=f"python -m {module}",
            )
        check_code_location()
        run()
    except (WinnowError, OSError) as error:
        if not is_main_process():
            sys.exit(1)
        if debug:
            traceback.print_exc()
        message = from_os_error(error) if isinstance(error, OSError) else error
        sys.exit(f"\nerror in {title}: {message}\n{consequence}")
    except KeyboardInterrupt:
        print(f"\n{title} was interrupted; the same command starts it again", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def check_params_unchanged(stage: Stage[C, P]) -> None:
    """Raise ParamsError when params.yaml no longer holds what the stage ran with: DVC reads it when the stage ends.

    A file of the same bytes is not parsed again: that would take a third of what a stage on little data takes.
    """
    if PARAMS_FILE.exists() and PARAMS_FILE.read_bytes() == stage.written.encode():
        return
    now = load_stage(stage.domain, stage.name, type(stage.common), type(stage.params))
    used = ["seed", "common", "params", *["embedded"] * (stage.name == "evaluate")]
    if any(getattr(now, each) != getattr(stage, each) for each in used):
        raise ParamsError(
            f"the params of {stage.name}@{stage.domain} were changed while it ran: DVC would record the new values "
            "beside the results of the old ones",
            where=str(PARAMS_FILE),
            fix="run `dvc repro` again",
        )


def is_main_process() -> bool:
    """False in all but the first process of a training on several devices."""
    return int(os.environ.get("RANK", "0")) == 0


def check_parent() -> None:
    """Raise WinnowError when the `dvc` that started this program was killed: another one may use the workspace now."""
    if orphaned():
        raise WinnowError("the `dvc` that started this stage was killed; nothing more is written", fix="run it again")
