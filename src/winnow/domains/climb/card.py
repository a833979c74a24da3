"""What a model card says of a route generator."""

from winnow.learn.card import Description

CARD = Description(
    title="winnow climb: routes for the MoonBoard",
    task="From a board, an angle and a Font grade to new valid routes: holds with start and finish.",
    use="Ideas for routes that a person then climbs and grades.",
    limits=(
        "It knows holds by their place on the board only, not their shape.",
        "It knows only the boards, angles and grades of its training routes.",
        "The grade of a generated route is an estimate: nobody has climbed it. Falling off a wall can injure.",
        "Grades and repeats of users are biased towards popular, easier routes.",
    ),
    row="routes",
    synthetic="routes drawn by rules on the boards of 2016 to 2020",
    tags=("climbing", "moonboard", "generation"),
)
