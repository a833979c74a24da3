"""Read params.yaml whole before anything else: a mistake in any section stops here, while every result still stands."""

import sys
import traceback
from pathlib import Path

from winnow.domains.load import domain_names, load
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import write_text
from winnow.pipeline.params import PARAMS_FILE, Document, whole_file
from winnow.pipeline.stage import check_code_location

PASSED = Path("data/params.ok")


def main() -> None:
    model = whole_file({name: load(name, "params").Params for name in domain_names()})
    Document(PARAMS_FILE).section((), model)
    # Constant content: nothing downstream re-runs because of a change to params.yaml alone.
    write_text(PASSED, "params.yaml holds what it should\n")


if __name__ == "__main__":
    try:
        check_code_location()
        main()
    except WinnowError as error:
        if "--debug" in sys.argv[1:]:
            traceback.print_exc()
        sys.exit(f"\nerror in check: {error}\n  No stage was run and no result was touched.")
