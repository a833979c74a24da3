"""What the domain's words mean, for every stage."""

FEATURE = "x_"
"""The columns of features begin with this; the rest of the name is that of the file's column."""
SPLITS = ("train", "val", "test")
