"""The code that each stage program runs, as digests that DVC can depend on: DVC itself does not follow imports.

`stages/check.py` writes `data/code/<domain>/<stage>.json`, `{module: digest}` over the program's import closure. A
change of a module re-runs exactly the programs that import it; editing comments, docstrings or field descriptions
re-runs nothing but `check`. So is it with what a program reads of `data/source` besides ingest's output, by the
patterns in its constant SOURCE_FILES: DVC's graph is the same for all domains, and cannot name one domain's files.
"""

import ast
import sys
from functools import cache
from pathlib import Path

import grimp

import winnow
from winnow.pipeline.cache import content_key
from winnow.pipeline.digests import FOLDER, PACKAGES, module_digests, source_digest
from winnow.pipeline.errors import WinnowError

RUNNING = ("winnow.pipeline.", "winnow.learn.")


def program_digests() -> dict[Path, dict[str, str]]:
    """For every program `stages/<domain>/<stage>.py` the path of its digest file and what belongs in it.

    The working folder is the repository's root. Raises WinnowError when a module cannot be parsed.
    """
    sys.path.append(str(Path.cwd()))  # grimp looks for `stages` there, which a command does not have on its path
    try:
        graph = grimp.build_graph(*PACKAGES, cache_dir=None, exclude_type_checking_imports=True)
    except grimp.exceptions.SourceSyntaxError as error:
        raise WinnowError(f"{error.filename} is not valid Python", where=f"line {error.lineno}: {error.text}") from None
    finally:
        sys.path.pop()
    programs = sorted(path for path in Path("stages").glob("*/*.py") if path.name != "__init__.py")
    closures = {
        FOLDER / program.parent.name / f"{program.stem}.json": sorted(
            {"stages"} | import_closure(graph, f"stages.{program.parent.name}.{program.stem}") | source_files(program)
        )
        for program in programs
    }
    digests = module_digests(set().union(*closures.values()), remember=True)
    return {path: {module: digests[module] for module in modules} for path, modules in closures.items()}


def source_files(program: Path) -> set[str]:
    """The files of its domain's source folder that a program's constant SOURCE_FILES names by patterns, as paths."""
    for node in ast.parse(program.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SOURCE_FILES":
            folder = Path("data", "source", program.parent.name)
            found = (path for pattern in ast.literal_eval(node.value) for path in folder.glob(pattern))
            return {path.as_posix() for path in found if path.is_file()}
    return set()


@cache
def module_digest(module: str) -> str:
    """A digest of the code of a module of `winnow` and of what it imports, for keys of values that it computes.

    Not of `winnow.pipeline` and `winnow.learn`: they run a computation, and decide none of its values.
    """
    graph = grimp.build_graph("winnow", cache_dir=None, exclude_type_checking_imports=True)
    found = sorted(each for each in import_closure(graph, module) if not each.startswith(RUNNING))
    root = Path(winnow.__file__).parents[1]
    sources = [root.joinpath(*each.split(".")).with_suffix(".py").read_text(encoding="utf-8") for each in found]
    return content_key(source_digest(source) for source in sources)


def import_closure(graph: grimp.ImportGraph, program: str) -> set[str]:
    """The modules that `program` imports, directly or not, and itself; packages left out: but for `stages` (which
    `program_digests` adds) their files are empty.

    The walk stops at a domain's `params.py`: it has no behaviour, and its values are tracked as params.
    """
    seen: set[str] = set()
    waiting = [program]
    while waiting:
        module = waiting.pop()
        if module not in seen and not _is_params(module):
            seen.add(module)
            waiting += graph.find_modules_directly_imported_by(module)
    return {module for module in seen if not graph.find_children(module)}


def _is_params(module: str) -> bool:
    return module.startswith("winnow.domains.") and module.endswith(".params")
