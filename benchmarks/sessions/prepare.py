"""The listening data that sessions is measured on, from its publishers: `python -m benchmarks.sessions.prepare`.

HetRec's listeners but for a fifth, drawn by seed; LightGCN's Gowalla whole, each line's places in ascending order.
"""

import io
import random
import urllib.request
import zipfile

from benchmarks.fetching import check, new_folder, published, write_gzip

HETREC = "https://files.grouplens.org/datasets/hetrec2011/hetrec2011-lastfm-2k.zip"
WHOLE = ("artists.dat", "tags.dat")
BY_USER = ("user_artists.dat", "user_taggedartists.dat", "user_friends.dat")
LEFT_OUT = 378


def used_listeners(user_artists: bytes) -> set[bytes]:
    users = sorted({int(line.split(b"\t")[0]) for line in user_artists.splitlines()[1:]})
    left_out = set(random.Random(42).sample(users, LEFT_OUT))
    return {str(user).encode() for user in users if user not in left_out}


def rows_of(table: bytes, users: set[bytes], *, both: bool = False) -> bytes:
    """The header and the rows of these users; with `both` only where the second column is one of them too."""
    header, *rows = table.replace(b"\r\n", b"\n").splitlines(keepends=True)
    fields = 2 if both else 1
    return header + b"".join(row for row in rows if users.issuperset(row.rstrip().split(b"\t")[:fields]))


def ascending(lists: bytes) -> bytes:
    """Lines `user item item …` with their items in order."""
    lines = [[int(number) for number in line.split()] for line in lists.splitlines()]
    return "".join(f"{' '.join(map(str, [user, *sorted(items)]))}\n" for user, *items in lines).encode()


def main() -> None:
    target = new_folder("sessions")
    with urllib.request.urlopen(HETREC) as answer, zipfile.ZipFile(io.BytesIO(answer.read())) as archive:
        tables = {name: archive.read(name) for name in archive.namelist()}
    users = used_listeners(tables["user_artists.dat"])
    for name in WHOLE:
        write_gzip(target / "hetrec2011-lastfm-2k" / f"{name}.gz", tables[name])
    for name in BY_USER:
        content = rows_of(tables[name], users, both=name == "user_friends.dat")
        write_gzip(target / "hetrec2011-lastfm-2k" / f"{name}.gz", content)
    with published("gusye1234/LightGCN-PyTorch", "947ca2b3b1d2d3545b114145710cb06c4e57b3d2", "data/gowalla") as folder:
        for name, made in {"train.txt": ascending, "test.txt": bytes}.items():
            write_gzip(target / "lightgcn-gowalla" / f"{name}.gz", made((folder / "data/gowalla" / name).read_bytes()))
    check("sessions")


if __name__ == "__main__":
    main()
