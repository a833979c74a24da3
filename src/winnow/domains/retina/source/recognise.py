"""Which collection of photographs files belong to, for `winnow init`."""

from collections.abc import Sequence
from pathlib import Path

from winnow.domains.retina.source import formats
from winnow.domains.retina.source.records import Record
from winnow.images.listing import Listing
from winnow.pipeline.errors import SourceError, WinnowError
from winnow.pipeline.recognised import Recognised, left_out, unknown

LOOKED_FOR = (
    "a CSV of APTOS (id_code,diagnosis), EyePACS (image,level) or IDRiD (Image name,Retinopathy grade) with its folder "
    "of photographs; a MedMNIST .npz; a folder with one folder per grade, 0 to 4"
)
PRESET, SMALL = "photographs", "retinamnist_pretrained"
"""The presets to begin with: that of photographs of any size, and that of an archive of small ones."""


def recognise(paths: Sequence[Path]) -> list[Recognised]:
    """One source for each table, archive or folder of grades; other folders are those of a table's photographs."""
    images = [path for path in paths if path.is_dir() and not _has_grades(path)]
    found = [_source(path, images) for path in paths if path not in images]
    if not found:
        fix = f"name the table of their grades, too: winnow init retina GRADES.csv {paths[0]}"
        raise unknown(paths[0], LOOKED_FOR, [SourceError("it is a folder without a folder of each grade", fix=fix)])
    read = [each.source["images"] for each in found if each.source["images"]]
    for folder in images:
        if not any(folder in (each, *each.parents) for each in read):
            tables = ", ".join(str(path) for path in paths if path not in images)
            what = f"no photograph of {tables} is read from {folder}"
            what += f", but from {', '.join(map(str, read))}" * bool(read)
            raise SourceError(what, where=_example(folder), fix=f"leave {folder} out, or name its own table beside it")
    return found


def _has_grades(folder: Path) -> bool:
    return any((folder / str(grade)).is_dir() for grade in range(5))


def _source(path: Path, images: Sequence[Path]) -> Recognised:
    try:
        form = formats.guess(path)
        if form not in formats.CSV_COLUMNS:
            listing = formats.read(form, path, None)
            preset = SMALL if form == "medmnist" else PRESET
            source = {"format": form, "path": path, "images": None}
            return Recognised(source, (path,), _told(form, listing), preset, listing.rejected_share)
    except (WinnowError, OSError, ValueError) as error:
        raise unknown(
            path, LOOKED_FOR, [error if isinstance(error, WinnowError) else SourceError(str(error))]
        ) from None
    beside = sorted(each for each in path.parent.iterdir() if each.is_dir())
    columns, read = formats.CSV_COLUMNS[form], list[tuple[Listing[Record], Path]]()
    for folders in (images, [path.parent, *beside]):  # the others only where nothing is in those that were named
        if not any(listing.records for listing, _ in read):
            read += [(formats.read_csv(path, folder, *columns), folder) for folder in dict.fromkeys(folders)]
    listing, folder = max(read, key=lambda each: len(each[0].records))
    if not listing.records:
        others = [why for _, _, why in listing.rejected if not why.startswith(formats.NO_PHOTOGRAPH)]
        if 2 * len(others) > listing.rows:
            raise SourceError(
                f"{path} looks like {form}, but none of its {listing.rows:,} rows can be used: {others[0]}",
                fix="correct the table; data/source/retina/README.md describes it",
            )
        name = next((name for _, name, why in listing.rejected if why.startswith(formats.NO_PHOTOGRAPH)), "")
        missing = f": no file is named {name}, {name}.jpg, {name}.png, …" * bool(name)
        cure = f"name their folder, too: winnow init retina {path} FOLDER"
        raise SourceError(
            f"{path} looks like {form}, but none of its photographs was found{missing}",
            where="; ".join(_example(each) for each in images or [each for _, each in read]),
            fix="give photographs the names of the table, or name the folder that holds them" if images else cure,
        )
    copied = (folder,) if path.parent == folder else (path, folder)
    source = {"format": form, "path": path, "images": folder}
    return Recognised(source, copied, _told(form, listing), PRESET, listing.rejected_share)


def _example(folder: Path) -> str:
    """A folder that was searched, with the first photograph that it holds."""
    first = min((file.name for file in folder.iterdir() if file.suffix.lower() in formats.SUFFIXES), default="")
    return f"{folder} holds {f'photographs such as {first}' if first else 'no photograph'}"


def _told(form: str, listing: Listing[Record]) -> str:
    return f"{form}, {len(listing.records):,} photographs" + left_out(
        [(row, reason) for row, _, reason in listing.rejected]
    )
