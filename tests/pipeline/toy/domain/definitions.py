"""What a flower is."""

SPECIES = ("daisy", "tulip")
MEASURES = ["length", "width"]
