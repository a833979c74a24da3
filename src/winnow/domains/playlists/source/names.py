"""Names of drawn artists and tracks: one for every number, made of words, so that tables and pictures can be read."""

FIRST = (
    "Ada", "Amos", "Bela", "Cleo", "Dara", "Edda", "Elio", "Emre", "Fay", "Gus", "Hana", "Ida", "Imani", "Ivo", "Jonas",
    "Juno", "Kaya", "Lena", "Leo", "Liv", "Luca", "Mae", "Malik", "Mila", "Nadia", "Nico", "Nora", "Odin", "Otis",
    "Pia", "Rafa", "Remy", "Rosa", "Sami", "Silas", "Tara", "Theo", "Uma", "Vera", "Yusuf", "Zora",
)  # fmt: skip
LAST = (
    "Abel", "Acosta", "Barlow", "Bright", "Castell", "Cole", "Dahl", "Dove", "Ellis", "Fabre", "Frost", "Garner",
    "Grey",
    "Hale", "Hart", "Holm", "Ito", "Jansen", "Keita", "Lark", "Lind", "Marsh", "Mercer", "Moreau", "Nash", "North",
    "Okoye", "Park", "Quill", "Reyes", "Rowe", "Sato", "Silva", "Stone", "Thorne", "Vance", "Vega", "Wells", "West",
    "Winter", "Wolfe", "Young", "Zeller",
)  # fmt: skip
MOODS = (
    "Amber", "Autumn", "Blue", "Broken", "Burning", "Distant", "Electric", "Empty", "Endless", "Faded", "Falling",
    "First", "Gentle", "Golden", "Hidden", "Hollow", "Last", "Little", "Lonely", "Long", "Midnight", "Northern", "Open",
    "Paper", "Quiet", "Restless", "Scarlet", "Secret", "Silent", "Silver", "Slow", "Summer", "Sunday", "Velvet",
    "Wandering", "White", "Wild",
)  # fmt: skip
THINGS = (
    "Avenue", "Bells", "Bridge", "Canyon", "Circles", "Cities", "Clouds", "Dancer", "Daylight", "Dreams", "Echo",
    "Fields", "Fire", "Garden", "Ghost", "Harbour", "Heart", "Highway", "Home", "Horizon", "Island", "Letters",
    "Lights", "Mirror", "Moon", "Morning", "Mountain", "Ocean", "Promise", "Radio", "Rain", "River", "Road", "Shadow",
    "Sky", "Smoke", "Stars", "Stranger", "Tide", "Window", "Wings",
)  # fmt: skip


def artist_name(number: int) -> str:
    """`Nora Lind`; beyond the combinations with a group: `Nora Lind & the Wild Tide`."""
    name, rest = _pair(number, FIRST, LAST)
    return f"{name} & the {_pair(rest - 1, MOODS, THINGS)[0]}" if rest else name


def track_title(number: int) -> str:
    """`Quiet Harbour`; beyond the combinations in parts: `Quiet Harbour, Pt. 2`."""
    title, rest = _pair(number, MOODS, THINGS)
    return f"{title}, Pt. {rest + 1}" if rest else title


def _pair(number: int, first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, int]:
    """A word of each list, and how often all pairs were used up; the lists' lengths have no common divisor."""
    return f"{first[number % len(first)]} {second[number % len(second)]}", number // (len(first) * len(second))


def playlist_name(number: int, genre: str) -> str:
    """`jazz, Blue Sunday`; of every third playlist `Blue Sunday 12`, as people do not always name what they collect."""
    mood, thing = MOODS[number * 7 % len(MOODS)], THINGS[number * 5 % len(THINGS)]
    return f"{mood} {thing} {number % 100}" if number % 3 == 0 else f"{genre}, {mood} {thing}"
