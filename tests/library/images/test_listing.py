"""Which files a command line names, and images that cannot be read."""

from pathlib import Path

import pytest

from winnow.images.codec import ImageError
from winnow.images.listing import distinct_names, image_files
from winnow.images.parallel import map_readable
from winnow.pipeline.errors import WinnowError

SUFFIXES = (".png", ".jpg")


def test_files_and_folders_are_named_once_and_in_order(tmp_path: Path) -> None:
    inside = tmp_path / "scans/more"
    inside.mkdir(parents=True)
    for name in ("scans/b.PNG", "scans/a.jpg", "scans/more/c.png", "scans/notes.txt", "other.tif"):
        (tmp_path / name).touch()
    other = tmp_path / "other.tif"  # named itself: what it holds decides, not its name
    found = image_files([other, tmp_path / "scans", tmp_path / "scans/a.jpg"], SUFFIXES, "page")
    assert found == [other, *(tmp_path / "scans" / name for name in ("a.jpg", "b.PNG", "more/c.png"))]


def test_a_folder_without_images_and_a_path_that_is_not_there_are_errors(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(WinnowError, match="holds no page"):
        image_files([tmp_path], SUFFIXES, "page")
    with pytest.raises(WinnowError, match=r"none\.png does not exist"):
        image_files([tmp_path / "none.png"], SUFFIXES, "page")


def test_an_image_that_cannot_be_read_gives_its_reason_in_its_place() -> None:
    def read(number: int) -> int:
        if number == 1:
            raise ImageError("is empty")
        if number == 2:
            raise PermissionError(13, "Permission denied")
        if number == 3:
            raise OSError("the server is gone")
        return number

    reasons = ["is empty", "cannot be read: Permission denied", "cannot be read: the server is gone"]
    assert list(map_readable(read, range(5))) == [0, *reasons, 4]


def test_what_is_no_fault_of_an_image_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_readable(lambda number: 1 // number, [0]))


def test_files_that_share_a_stem_get_names_of_their_own() -> None:
    files = [Path(name) for name in ("eyes/x.png", "eyes/x.jpg", "more/x.png", "eyes/y.png")]
    assert list(distinct_names(files).values()) == ["eyes_x_png", "eyes_x_jpg", "more_x_png", "y"]


def test_names_stay_distinct_where_paths_differ_in_marks_or_capitals_alone() -> None:
    files = [
        Path(name) for name in ("page 1/x.png", "page_1/x.png", "page-1/x.png", "page_1_x_png.jpg", "Y.png", "y.tif")
    ]
    names = list(distinct_names(files).values())
    assert names == ["page_1_x_png", "page_1_x_png_2", "page-1_x_png", "page_1_x_png_3", "Y", "y_2"]


def test_a_long_name_is_cut_between_letters() -> None:
    """Half a letter would be no text, which JSON and other systems do not take."""
    (name,) = distinct_names([Path("n" + "ü" * 110 + ".png")]).values()
    assert name == "n" + "ü" * 99
