"""What tests share: the repository, the real data when it is there, and a copy of the repository to work in."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import stages  # noqa: F401 - sets the kernels before numpy and torch load: what tests compute has the programs' bytes
from tests.browser import INSTALL, Browser, programs

os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads of several tests at once would wait for one another

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """A shell starts what it runs in the background with Ctrl+C ignored: so would be what tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of slow tests first, so that no worker ends long after the other (`--no-loadscope-reorder` keeps this)."""
    slow_first = ("test_new_domain.py", "pipeline", "stages")
    items.sort(key=lambda item: next((n for n, name in enumerate(slow_first) if name in item.path.parts), 3))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the checkout; it may not be redistributed, so a stranger's clone has none."""
    folder = Path(os.environ.get("WINNOW_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """This checkout's programs, library and params in a folder of its own, without Git, DVC or data."""
    target = tmp_path / "workspace"
    target.mkdir()
    for name in ("src", "stages", "presets", "params.yaml", "dvc.yaml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / name)
    for domain in (ROOT / "data" / "source").iterdir():
        (target / "data" / "source" / domain.name).mkdir(parents=True)
    return target


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium, one for all tests of a worker; see tests/browser.py."""
    if programs() is None:
        pytest.skip(INSTALL)
    opened = Browser(tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()
