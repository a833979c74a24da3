"""What people type is found, and what nobody knows is not."""

import time
import unicodedata

import numpy as np
import pytest

from winnow.recommend.names import LeftOut, NameIndex, Taken, tell
from winnow.recommend.spelling import QUOTES, plain
from winnow.recommend.typed import Wanted

TITLES = ["I'll Be There", "Déjà Vu", "Hello", "Hello", "Earth; Wind", "Ｆｕｌｌ Width", "Straße", "Hello"]
ARTISTS = ["The Wanderers", "Célia Ñandú", "One", "Two", "Three", "Four", "Fünf", ""]
POPULARITY = np.array([3, 3, 5, 9, 1, 1, 1, 2])


def index() -> NameIndex:
    names = [f"{artist} – {title}" if artist else title for artist, title in zip(ARTISTS, TITLES, strict=True)]
    return NameIndex([f"id{n}" for n in range(len(names))], TITLES, names, POPULARITY)


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("I’ll be there", 0), ("i`ll be there", 0), ("THE WANDERERS - I‘LL BE THERE", 0),
        (unicodedata.normalize("NFD", "Déjà Vu"), 1), ("deja vu", 1), ("Celia Nandu — Deja vu!", 1),
        ("Déjà Vu - Célia Ñandú", 1), ("  Two   –  hello ", 3), ("One−Hello", 2), ("One − Hello", 2),
        ("Hello by One", 2), ("I'll be there by the Wanderers", 0), ("Hello by Ten", None),
        ("Wanderers - I'll Be There", 0), ("1. Hello by One", 2), ("12) One - Hello", 2), ("1.Hello", None),
        ("full width", 5), ("STRASSE", 6), ("id4", 4), ("", None), ("???", None), ("nothing like it", None),
    ],
)  # fmt: skip
def test_a_name_is_found_as_people_type_it(typed: str, number: int | None) -> None:
    match = index().find(Wanted(typed))
    assert (match.number if match else None) == number


def test_of_a_title_of_several_the_most_popular_is_taken_and_the_others_told() -> None:
    match = index().find(Wanted("hello"))
    assert match is not None
    assert match.number == 7, "the one whose full name it is"
    without = NameIndex(["a", "b"], ["Hello", "Hello"], ["One – Hello", "Two – Hello"], np.array([1, 2]))
    match = without.find(Wanted("hello"))
    assert match is not None
    assert (match.number, match.others) == (1, (0,))
    exact = without.find(Wanted("Hello", artist="One"))
    assert exact is not None
    assert (exact.number, exact.others) == (0, ())


def test_an_id_that_is_another_items_title_is_told() -> None:
    songs = NameIndex(["311", "a"], ["One", "311"], ["Ann – One", "Amber – 311"], np.array([1, 2]))
    match = songs.find(Wanted("311"))
    assert match is not None
    assert (match.number, match.others) == (0, (1,))
    match = songs.find(Wanted("311", artist="Amber"))
    assert match is not None
    assert (match.number, match.others) == (1, ()), "with an artist it is no id"
    own = NameIndex(["311"], ["311"], ["311"], np.array([1])).find(Wanted("311"))
    assert own is not None
    assert own.others == ()


def test_an_artist_of_signs_alone_does_not_stand_for_every_title() -> None:
    names = ["##### – Song 1", "Queen – Song 1"]
    found = NameIndex(["a", "b"], names, names, np.array([9, 1]))
    assert found.find(Wanted("song 1")) is None
    match = found.find(Wanted("##### - SONG 1"))
    assert match is not None
    assert match.number == 0


def test_a_named_artist_is_not_replaced_by_another() -> None:
    assert index().find(Wanted("Déjà Vu", artist="Two")) is None


def test_guests_of_a_title_and_further_artists_may_be_left_out() -> None:
    names = ["D.R.A.M. – Broccoli (feat. Lil Yachty)", "Drake – One Dance", "Tyler, The Creator – See You Again"]
    found = NameIndex(["a", "b", "c"], [name.partition(" – ")[2] for name in names], names, np.array([1, 2, 3]))
    for wanted, number in (
        (Wanted("Broccoli"), 0),
        (Wanted("broccoli", "d.r.a.m."), 0),
        (Wanted("One Dance", "Drake, WizKid, Kyla"), 1),
        (Wanted("One Dance", "Drake;WizKid"), 1),
        (Wanted("See You Again", "Tyler, The Creator"), 2),
        (Wanted("One Dance", "WizKid, Drake"), None),
        (Wanted("One Dance", ", WizKid"), None),
    ):
        match = found.find(wanted)
        assert (match.number if match else None) == number, wanted
    whole = NameIndex(
        ["a", "b"], ["Broccoli (feat. X)", "Broccoli"], ["A – Broccoli (feat. X)", "B – Broccoli"], np.array([9, 1])
    )
    match = whole.find(Wanted("Broccoli"))
    assert match is not None
    assert match.number == 1, "the whole title first"
    match = whole.find(Wanted("Broccoli!"))
    assert match is not None
    assert match.number == 1, "also where only letters are compared"


def test_guests_give_no_title_to_an_artist_of_signs_alone() -> None:
    names = ["!!! – Heart of Hearts (feat. X)"]
    found = NameIndex(["a"], ["Heart of Hearts (feat. X)"], names, np.array([1]))
    assert found.find(Wanted("Heart of Hearts", "???")) is None
    assert found.find(Wanted("heart of hearts")) is not None


def test_an_artist_alone_is_suggested_their_most_popular_titles() -> None:
    names = ["The Band – A", "The Band – B", "The Band – C", "Bandit – A"]
    found = NameIndex([*"wxyz"], ["A", "B", "C", "A"], names, np.array([1, 9, 5, 2]))
    assert found.suggest(Wanted("band")) == ["The Band – B", "The Band – C", "The Band – A"]
    assert found.suggest(Wanted("bandits - a"), 1) == ["Bandit – A"]


def test_separators_inside_of_names_are_recognised() -> None:
    found = index().split("Hello; earth; wind;; Déjà Vu ;unknown; thing", ";")
    assert [each.title for each in found] == ["Hello", "earth; wind", "Déjà Vu", "unknown", "thing"]


def test_the_other_separator_splits_what_is_unknown_where_that_finds_a_name() -> None:
    def titles(text: str, separator: str) -> list[str]:
        return [each.title for each in index().split(text, separator)]

    assert titles("Hello, deja vu", ";") == ["Hello", "deja vu"]
    assert titles("unknown; Hello", ",") == ["unknown", "Hello"]
    assert titles("earth; wind; Hello", ",") == ["earth; wind", "Hello"], "a name with the other separator is one"
    assert titles("new, unheard; Hello", ";") == ["new, unheard", "Hello"], "no part of it is known"
    assert titles("Hello / deja vu", ",") == ["Hello", "deja vu"]
    assert titles("AC/DC, Hello", ",") == ["AC/DC", "Hello"]


def test_where_items_are_artists_a_song_of_one_means_the_artist_and_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    artists = ["Muse", "Adele", "Earth, Wind & Fire"]
    found = NameIndex(["a", "b", "c"], artists, artists, np.array([3, 2, 1]))
    typed = found.split("Muse – Hello, Adele; muse, earth, wind & fire", ",")
    assert [each.title for each in typed] == ["Muse – Hello", "Adele", "muse", "earth, wind & fire"]
    told = found.understand([*typed, Wanted("Hello", "Adele"), Wanted("Nobody – Hello")])
    assert told.items == [0, 1, 2]
    assert [each.typed for each in told.left_out] == ["Nobody – Hello"]
    tell(told.taken, [])
    assert "'Muse – Hello' is taken as Muse, a part of it; the rest is not known\n" in capsys.readouterr().err
    assert index().find(Wanted("The Wanderers – Hello")) is None, "a song's artist counts where songs have one"


@pytest.mark.parametrize("count", [5, 6])
def test_of_many_names_five_are_told_and_the_number_of_all(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Of other items with a title, of names that were taken otherwise, and of unknown ones."""
    numbers = [str(number) for number in range(count)]
    taken = [Taken(f"t{number}", f"name {number}", [f"other {each}" for each in numbers]) for number in numbers]
    tell(taken, [LeftOut(f"u{number}", []) for number in numbers], where="list 2")
    others = ", ".join(f"other {each}" for each in range(5)) + (" and others" if count > 5 else "")
    expected = [f"list 2: 't{n}' is taken as name {n}; there is also {others}" for n in range(5)]
    expected += [f"list 2: 'u{n}' is not known and left out" for n in range(5)]
    expected += ["list 2: 6 names are not known and left out"] if count > 5 else []
    assert capsys.readouterr().err.splitlines() == expected


def test_near_names_are_suggested_and_none_where_nothing_is_near() -> None:
    assert index().suggest(Wanted("Deja Vuu")) == ["Célia Ñandú – Déjà Vu"]
    assert index().suggest(Wanted("I'll be their")) == ["The Wanderers – I'll Be There"]
    assert index().suggest(Wanted("zzzz qqqq")) == []


def test_suggestions_among_many_names_take_a_fifth_of_a_second_at_most() -> None:
    rng = np.random.default_rng(0)
    words = np.array(["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 6)) for _ in range(3000)])
    titles = [" ".join(each) for each in rng.choice(words, (85_000, 3))]
    names = [f"{artist} – {title}" for artist, title in zip(rng.choice(words, 85_000), titles, strict=True)]
    many = NameIndex([f"id{n}" for n in range(85_000)], titles, names, np.arange(85_000))
    typed = titles[77][:-1] + "?"
    many.suggest(Wanted("first"))  # which sorts all names, once
    before = time.process_time()
    assert names[77] in many.suggest(Wanted(typed))
    assert time.process_time() - before < 0.2


def test_quotes_dashes_and_widths_are_one() -> None:
    assert plain("“Ａ”  —  B’s ‐ ´x") == plain("\"a\" - b's – 'x")


def test_a_quote_is_one_whatever_normalisation_makes_it_of() -> None:
    """Signs such as ‴ become quotes only there, and İ becomes two characters."""
    quotes = {chr(each) for each in QUOTES}
    signs = [
        sign for sign in map(chr, (*range(0xD800), *range(0xE000, 0x110000)))
        if quotes & {sign, *unicodedata.normalize("NFKC", sign), *unicodedata.normalize("NFKC", sign.casefold())}
    ]  # fmt: skip
    assert len(signs) > len(quotes)
    for sign in (*signs, "İ"):
        name = f"Don{sign}t {sign} X"
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name.translate(QUOTES)).casefold())
        assert plain(name) == " ".join(folded.translate(QUOTES).split())
