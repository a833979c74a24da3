"""Validate all of params.yaml and record which code each program runs: `dvc repro check`.

It runs before anything else, so that a mistake in any section stops here, while every result is still in place.
"""

import shutil
from pathlib import Path

from winnow.pipeline.code import program_digests
from winnow.pipeline.console import say
from winnow.pipeline.cpu import cpu_warning
from winnow.pipeline.digests import FOLDER
from winnow.pipeline.files import write_json, write_text
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.pipeline.stage import run_program
from winnow.workspace.validation import validate_params

PASSED = Path("data/params.ok")


def main() -> None:
    validate_params(Document(PARAMS_FILE))
    digests = program_digests()
    # The content changes only when code changes: nothing else re-runs because params.yaml was edited.
    shutil.rmtree(FOLDER, ignore_errors=True)
    for path, modules in digests.items():
        write_json(path, modules)
    write_text(PASSED, "params.yaml is valid\n")
    say(*cpu_warning().splitlines())


if __name__ == "__main__":
    run_program("stages.check", main, "check", "  No stage was run and no result was changed.")
