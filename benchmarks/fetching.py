"""What the programs that prepare data share: a publisher's files at a commit, and checksums of what is made of them.

`benchmarks/<domain>/SHA256SUMS` holds a checksum for each file, of its content where the file is compressed, because
the bytes of an archive depend on the library that wrote it.
"""

import gzip
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import BENCHMARKS, data_of


@contextmanager
def published(repository: str, commit: str, *paths: str) -> Iterator[Path]:
    """A folder with these paths of a GitHub repository as they were at a commit."""
    with tempfile.TemporaryDirectory() as folder:
        clone = ["git", "clone", "-q", "--no-checkout", "--filter=blob:none"]
        subprocess.run([*clone, f"https://github.com/{repository}", folder], check=True)
        subprocess.run(["git", "-C", folder, "checkout", "-q", commit, "--", *paths], check=True)
        yield Path(folder)


def new_folder(domain: str) -> Path:
    """The folder to make; the programs overwrite nothing."""
    folder = data_of(domain)
    if folder.exists():
        sys.exit(f"{folder} exists; set WINNOW_SHARED_DATA to a folder without {domain}/")
    folder.mkdir(parents=True)
    return folder


def write_gzip(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(content, mtime=0))


def digest(file: Path) -> str:
    """SHA-256 of the file, or of what is compressed in it."""
    content = file.read_bytes()
    if file.suffix == ".gz":
        content = gzip.decompress(content)
    elif file.suffix == ".zip":
        with zipfile.ZipFile(file) as archive:
            content = b"".join(archive.read(name) for name in sorted(archive.namelist()))
    return hashlib.sha256(content).hexdigest()


def expected(domain: str) -> dict[str, str]:
    """Path below the domain's folder → checksum."""
    lines = (BENCHMARKS / domain / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {path: checksum for checksum, path in (line.split("  ", 1) for line in lines)}


def check(domain: str) -> None:
    """Name the files that are missing, or not those that the figures were measured on; exit code 1 if there are any."""
    folder = data_of(domain)
    wrong = [
        f"{path} is {'missing' if not (folder / path).exists() else 'another file'}"
        for path, checksum in expected(domain).items()
        if not (folder / path).exists() or digest(folder / path) != checksum
    ]
    if wrong:
        sys.exit(f"{folder} is not what the figures were measured on:\n" + "\n".join(wrong))
    print(f"{folder}: {len(expected(domain))} files, as measured on")
