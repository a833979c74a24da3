"""How inputs go bad: bytes changed, cut, emptied or replaced, and fields of JSON, CSV and YAML given odd values."""

import gzip
import io
import json
import random
import re
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

Damage = Callable[[bytes, random.Random], bytes]

DEEP = b"[" * 100_000
ODD: list[Any] = [
    None, True, False, -1, 0, 1e308, -1e308, 10**400, 2**63, 0.5, "", "x", "\x1b[2J\x07", "\u202eabc", "a\nerror: b",
    "\ud800", "9" * 5000, "1:30", "2020-13-45", "9999-12-31T23:59:59+99:00", [], {}, [[]], {"a": None}, "../../x",
    "long " * 20_000,
]  # fmt: skip


def flipped(content: bytes, rng: random.Random) -> bytes:
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if found:
            found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def flipped_end(content: bytes, rng: random.Random) -> bytes:
    """Where formats keep their tables of contents."""
    head, tail = content[:-400], content[-400:]
    return head + flipped(tail, rng)


def flipped_start(content: bytes, rng: random.Random) -> bytes:
    return flipped(content[:200], rng) + content[200:]


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))] if content else content


def emptied(_content: bytes, _rng: random.Random) -> bytes:
    return b""


def zeroed(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(max(len(content), 1))
    size = rng.choice((16, 512, len(content)))
    return content[:start] + bytes(len(content[start : start + size])) + content[start + size :]


def repeated(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(max(len(content), 1))
    part = content[start : start + rng.choice((1, 40, 4000))]
    return content[:start] + part * rng.choice((2, 30)) + content[start:]


def replaced(_content: bytes, rng: random.Random) -> bytes:
    """Something else under the same name."""
    return rng.choice(OTHERS)()


def noise(_content: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((1, 100, 100_000)))


def odd_value(content: bytes, rng: random.Random) -> bytes:
    """Of JSON, JSON lines, YAML or CSV one value; of anything else some bits."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return flipped(content, rng)
    lines = text.splitlines(keepends=True)
    try:
        return _dumped(_changed(json.loads(text), rng))
    except ValueError:
        pass
    if not lines:
        return content
    number = rng.randrange(len(lines))
    try:
        lines[number] = _dumped(_changed(json.loads(lines[number]), rng)).decode() + "\n"
    except ValueError:
        value = rng.choice((*ODD, "&a [*a]", "!!bool maybe", "!!timestamp x", "!!python/name:os.system", '"'))
        cells = list(re.finditer(r"[^,;:\t\n]+", lines[number]))
        if cells:
            start, end = rng.choice(cells).span()
            lines[number] = f"{lines[number][:start]} {value}{lines[number][end:]}"
    return "".join(lines).encode(errors="surrogatepass")


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def _changed(value: Any, rng: random.Random) -> Any:
    """The value with one of its parts, at any depth, replaced, left out or doubled."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        action = rng.random()
        if action < 0.15:
            return {name: each for name, each in value.items() if name != key}
        return {**value, key: _changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        return [*value[:place], _changed(value[place], rng), *value[place + 1 :]]
    return rng.choice(ODD)


def png(width: int, height: int) -> bytes:
    """A black picture of any size: a few kilobytes."""
    buffer = io.BytesIO()
    Image.new("L", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def claimed(width: int, height: int) -> bytes:
    """The head of a picture that says to be of any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    head = width.to_bytes(4) + height.to_bytes(4) + b"\x08\x00\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10**6)))


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


OTHERS: tuple[Callable[[], bytes], ...] = (
    lambda: b"PK\x03\x04" + bytes(100),
    lambda: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer <</Root 1 0 R>>",
    lambda: gzip.compress(bytes(2**20), 1) * 300,
    lambda: gzip.compress(b"[" * 2**20),
    lambda: DEEP,
    lambda: b'{"a":' * 100_000,
    lambda: b"\xff\xfe" + "a,b\n1,2\n".encode("utf-16-le"),
    lambda: b"null",
    lambda: b"[]",
    lambda: b"{}",
    lambda: b"PAR1" + bytes(30) + b"PAR1",
    lambda: png(8, 60_000),
    lambda: claimed(50_000, 50_000),
    lambda: claimed(9_000, 9_000),
    lambda: b"a" * 2**21,
    lambda: b'"' * 2**20,
)

DAMAGES: dict[str, Damage] = {
    each.__name__: each
    for each in (flipped, flipped_end, flipped_start, cut, emptied, zeroed, repeated, replaced, noise, odd_value)
}
