"""Validate all of params.yaml and record which code each program runs: `dvc repro check`.

It runs before anything else, so that a mistake in any section stops here, while every result is still in place.
"""

import shutil
import signal
import sys
import traceback
from pathlib import Path

from winnow.pipeline.checkout import check_code_location
from winnow.pipeline.code import program_digests
from winnow.pipeline.cpu import cpu_warning
from winnow.pipeline.digests import FOLDER
from winnow.pipeline.errors import WinnowError, from_os_error
from winnow.pipeline.files import write_json, write_text
from winnow.pipeline.params import PARAMS_FILE, Document
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
    if warning := cpu_warning():
        print(warning, file=sys.stderr)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        check_code_location()
        main()
    except (WinnowError, OSError) as error:
        if "--debug" in sys.argv[1:]:
            traceback.print_exc()
        message = from_os_error(error) if isinstance(error, OSError) else error
        sys.exit(f"\nerror in check: {message}\n  No stage was run and no result was changed.")
    except KeyboardInterrupt:
        print("\ncheck was interrupted; no stage was run and no result was changed", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
