"""The sides of a split."""

SIDES = ("train", "val", "test")
