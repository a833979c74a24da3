"""Other machines for `pipeline.parallel`: a Dask scheduler (`tcp://host:8786`, by joblib) or Ray (`ray://host:10001`).

A worker must see this checkout at the same path, have the same code and packages, and the kernels that stages choose:
then it computes the same bytes, and else it refuses to. `python -m stages.worker` starts one so.
"""

import logging
import os
import platform
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import winnow
from winnow.pipeline import environment
from winnow.pipeline.cache import content_key
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.parallel import AHEAD, Engine, windows
from winnow.pipeline.params import PARAMS_FILE
from winnow.pipeline.reading import reason

T = TypeVar("T")
R = TypeVar("R")

Results = Callable[[Callable[[T], R], Iterator[T]], Iterator[R]]
Expected = tuple[str, str, tuple[tuple[str, str], ...]]
"""The checkout's root, the digest of its params.yaml, and the `facts` of the machine that hands out the work."""

WHERE = "params.yaml: runtime.cluster"
PATIENCE = 10
"""seconds in which a scheduler must answer, and have a worker"""
KERNELS = (
    "ATEN_CPU_CAPABILITY", "MKL_CBWR", "NPY_DISABLE_CPU_FEATURES", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
)  # fmt: skip
"""The variables that choose kernels, as stages/__init__.py sets them."""
RESTART = "start the workers in this checkout, by `python -m stages.worker dask worker ADDRESS` (docs/gpus.md)"

_FOLDER = Path(winnow.__file__).parent
_SOURCES = sorted(file.relative_to(_FOLDER) for file in _FOLDER.rglob("*.py"))
CODE = content_key(part for file in _SOURCES for part in (file.as_posix(), (_FOLDER / file).read_bytes()))[:16]
"""Of the library's sources when this module was imported: a worker goes on with what it has imported."""


@contextmanager
def connected(address: str) -> Iterator[Engine]:
    """The cluster at an address, whose workers were looked at. Raises WinnowError."""
    root, params = Path.cwd(), PARAMS_FILE.read_bytes()
    call = partial(call_checked, (str(root), content_key([params]), tuple(facts().items())))
    with ExitStack() as stack:
        results = (_ray if address.startswith("ray://") else _dask)(address, call, stack)
        yield Engine(results, partial(_failing, address))


def facts() -> Mapping[str, str]:
    """What the bytes of results depend on, besides the data."""
    python = ".".join(platform.python_version_tuple()[:2])
    chosen = {name: os.environ.get(name, "") for name in KERNELS}
    return environment.current() | {"python": python, "machine": platform.machine(), "code of winnow": CODE} | chosen


def call_checked(expected: Expected, function: Callable[[T], R], task: Sequence[T]) -> R:
    """`function` of the one task, on a worker; raises WinnowError when its results could be others than here.

    A task is in a list, which joblib never sends ahead to a single worker, with which it would be lost.
    """
    check_worker(*expected)
    return function(task[0])


@cache
def check_worker(root: str, params: str, expected: tuple[tuple[str, str], ...]) -> None:
    """Raise WinnowError unless this process sees the checkout at `root`, and has the facts expected."""
    at = f"the worker {os.getpid()} on {platform.node()}"
    try:
        seen = content_key([Path(root, PARAMS_FILE).read_bytes()])
    except OSError:
        seen = ""
    if seen != params:
        raise WinnowError(
            f"{at} does not see this checkout at {root}",
            where=WHERE,
            fix="use a folder that all machines share, at the same path",
        )
    own, given = facts(), dict(expected)
    other = [
        f"{name} {own.get(name) or '(none)'}, not {value or '(none)'}"
        for name, value in given.items()
        if own.get(name, "") != value
    ]
    if other:
        raise WinnowError(f"{at} would compute other bytes: {'; '.join(other)}", where=WHERE, fix=RESTART)


def _dask(address: str, call: Callable[..., Any], stack: ExitStack) -> Results[Any, Any]:
    try:
        from distributed import Client  # noqa: PLC0415
    except ImportError:
        raise _missing(address, "Dask", "distributed") from None
    try:
        # Results come from the workers themselves, not through the scheduler.
        client = stack.enter_context(
            Client(address, timeout=PATIENCE, direct_to_workers=True, set_as_default=False)  # type: ignore[no-untyped-call]
        )
    except (OSError, ValueError, ImportError) as error:
        raise _unreachable(address, error, "dask scheduler") from None
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise WinnowError(f"the scheduler at {address} has no worker", where=WHERE, fix=RESTART) from None
    with _failing(address):
        client.run(call, os.path.realpath, ["/"])

    def results(function: Callable[[T], R], tasks: Iterator[T]) -> Iterator[R]:
        cores = max(sum(client.ncores().values()), 1)
        settings = {"backend": "dask", "client": client}
        return windows(partial(call, function), ([task] for task in tasks), settings, cores)

    return results


def _ray(address: str, call: Callable[..., Any], stack: ExitStack) -> Results[Any, Any]:
    try:
        import ray  # noqa: PLC0415
    except ImportError:
        raise _missing(address, "Ray", "'ray[client]'") from None
    logging.getLogger("ray").setLevel(logging.WARNING)
    try:
        stack.enter_context(ray.init(address, log_to_driver=False))
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreachable(address, error, "ray start") from None
    results = partial(_ray_results, ray.remote(lambda *args: call(*args)))  # noqa: PLW0108 - Ray takes no partial
    with _failing(address):
        list(results(os.path.realpath, iter("/")))
    return results


def _ray_results(on_worker: Any, function: Callable[[T], R], tasks: Iterator[T]) -> Iterator[R]:
    """The results by Ray's own tasks, which it starts again where a worker dies; its joblib backend cannot stream."""
    import ray  # noqa: PLC0415
    from ray.exceptions import RayTaskError  # noqa: PLC0415

    under_way: deque[Any] = deque()
    most = 2 * AHEAD * max(int(ray.cluster_resources().get("CPU", 1)), 1)
    try:
        for task in tasks:
            under_way.append(on_worker.remote(function, [task]))
            if len(under_way) == most:
                yield ray.get(under_way.popleft())
        while under_way:
            yield ray.get(under_way.popleft())
    except RayTaskError as error:
        raise error.cause from None
    finally:
        for reference in under_way:
            ray.cancel(reference)


def _missing(address: str, engine: str, package: str) -> WinnowError:
    return WinnowError(f"{address} needs {engine}, which is not installed", where=WHERE, fix=f"pip install {package}")


def _unreachable(address: str, error: Exception, start: str) -> WinnowError:
    return WinnowError(
        f"no cluster answers at {address}: {reason(error)}",
        where=WHERE,
        fix=f"start it (`{start}`), correct the address, or set it to null to compute on this machine",
    )


@contextmanager
def _failing(address: str) -> Iterator[None]:
    """Raise WinnowError for what the engine raises in the block; what the work itself raises goes on."""
    try:
        yield
    except WinnowError:
        raise
    except ImportError as error:
        raise WinnowError(
            f"a worker of {address} cannot import the code: {reason(error)}", where=WHERE, fix=RESTART
        ) from None
    except Exception as error:
        chain = (error, error.__cause__, error.__context__)
        modules = {type(each).__module__.partition(".")[0] for each in chain if each is not None}
        if not modules & {"distributed", "ray", "grpc", "concurrent", "tornado"} and not isinstance(
            error, ConnectionError
        ):
            raise
        raise WinnowError(
            f"the cluster at {address} failed: {type(error).__name__}: {reason(error)}",
            where=WHERE,
            fix="read the logs of its scheduler and workers (is their memory enough?), then run the same command again",
        ) from error
