"""Many encoded images in one file: an Arrow IPC file of (id, image), written as a stream, read by memory map.

Neither side holds all images in memory: the writer keeps a few megabytes until a batch is full, the reader copies only
the image that is read. The same images in the same order give the same bytes. Images go to another process as the path
of their store and their rows.
"""

import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as arrow
from numpy.typing import NDArray

from winnow.pipeline.errors import TableError
from winnow.pipeline.files import atomic_path, maker
from winnow.pipeline.reading import reading

SCHEMA = arrow.schema([arrow.field("id", arrow.string(), nullable=False), arrow.field("image", arrow.binary(), False)])
BATCH_BYTES = 4 * 2**20
BATCH_IMAGES = 1024
MAPPED_BYTES = 8 * 2**20
"""Bytes of images that are read before what is mapped for them is let go; the system maps some of what lies around."""


class ImageWriter:
    """Adds images one at a time; made by `write_images`."""

    def __init__(self, writer: arrow.ipc.RecordBatchFileWriter) -> None:
        self._writer = writer
        self._known: set[str] = set()
        self._ids: list[str] = []
        self._images: list[bytes] = []
        self._bytes = 0

    def add(self, image_id: str, image: bytes) -> None:
        """Append an encoded image; raises TableError when the id was added before."""
        if image_id in self._known:
            raise TableError(f"two images have the id {image_id}", fix="rename one of them")
        self._known.add(image_id)
        self._ids.append(image_id)
        self._images.append(image)
        self._bytes += len(image)
        if self._bytes >= BATCH_BYTES or len(self._ids) >= BATCH_IMAGES:
            self.flush()

    def flush(self) -> None:
        """Write the batch that is not yet full."""
        if self._ids:
            self._writer.write_batch(arrow.record_batch([self._ids, self._images], schema=SCHEMA))
            self._ids, self._images, self._bytes = [], [], 0


@contextmanager
def write_images(path: Path) -> Iterator[ImageWriter]:
    """A writer to a new store, which is at `path` when the block has ended without an error."""
    with (
        atomic_path(path) as scratch,
        arrow.OSFile(str(scratch), "wb") as sink,
        arrow.ipc.new_file(sink, SCHEMA) as writer,
    ):
        images = ImageWriter(writer)
        yield images
        images.flush()


class _MappedFile:
    """A file that is mapped into memory, whose pages count as this process's only for a while after they are read."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.buffer = arrow.py_buffer(self._map)
        self._read = 0

    def has_read(self, count: int) -> None:
        """So many bytes were read; what was mapped for it is let go now and then, and stays in the system's cache."""
        self._read += count
        if self._read > MAPPED_BYTES and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
            self._read = 0
            self._map.madvise(mmap.MADV_DONTNEED)


class Images(Sequence[bytes]):
    """Encoded images, read from the store when they are accessed, by position or by id."""

    def __init__(
        self, file: "_MappedFile", ids: "NDArray[np.object_]", column: arrow.ChunkedArray, rows: NDArray[np.int64]
    ) -> None:
        self._file = file
        self._ids = ids
        self._column = column
        self._rows = rows

    def __reduce__(self) -> tuple[Callable[..., "Images"], tuple[str, int, NDArray[np.int64]]]:
        return _reopened, (str(self._file.path), self._file.path.stat().st_mtime_ns, self._rows)

    @property
    def ids(self) -> list[str]:
        """The images' ids, in order."""
        return list(self._ids[self._rows])

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> "Images": ...
    def __getitem__(self, place: int | slice) -> "bytes | Images":
        if isinstance(place, slice):
            return Images(self._file, self._ids, self._column, self._rows[place])
        image: bytes = self._column[int(self._rows[place])].as_py()
        self._file.has_read(len(image))
        return image

    def take(self, places: Iterable[int]) -> "Images":
        """The images at these positions, in this order."""
        return Images(self._file, self._ids, self._column, self._rows[np.fromiter(places, dtype=np.int64)])

    def select(self, ids: Iterable[str]) -> "Images":
        """The images with these ids, in this order; raises TableError for an id that the store does not hold."""
        row_of = dict(zip(self._ids[self._rows], self._rows.tolist(), strict=True))
        wanted = list(ids)
        missing = [image_id for image_id in wanted if image_id not in row_of]
        if missing:
            raise TableError(
                f"{len(missing)} images are not in the store, the first one {missing[0]}",
                fix="run the stages again from ingest: `dvc repro`",
            )
        return Images(
            self._file, self._ids, self._column, np.array([row_of[image_id] for image_id in wanted], dtype=np.int64)
        )


def read_images(path: Path) -> Images:
    """All images of a store; raises TableError when the file is missing or no image store."""
    if not path.exists():
        raise TableError(f"{path} does not exist", fix=maker(path))
    with reading(
        path, "is not a readable image store", fix="bring it back with `dvc checkout --force`", error=TableError
    ):
        file = _MappedFile(path)
        table = arrow.ipc.open_file(file.buffer).read_all()  # columns point into the mapped file
        if table.schema != SCHEMA:
            raise ValueError(f"its columns are {', '.join(table.column_names) or 'none'}")
        table.validate(full=True)  # damaged offsets would lead out of the file
        ids = np.array(table.column("id").to_pylist(), dtype=object)
    return Images(file, ids, table.column("image"), np.arange(len(ids)))


def _reopened(path: str, written: int, rows: NDArray[np.int64]) -> Images:
    return _opened(path, written).take(rows.tolist())


@lru_cache(maxsize=4)
def _opened(path: str, _written: int) -> Images:
    """A store that a process of several reads, once; after it was written anew, the new one."""
    return read_images(Path(path))
