"""Which entries of playlists are kept, in SQL: a million playlists do not fit into memory."""

from winnow.domains.playlists.params import Filter
from winnow.pipeline.engine import Engine

RULES = ("repeated_track", "same_playlist", "rare_track", "short_playlist", "k_core")
"""In the order in which they are applied: an entry is dropped by the first one it breaks."""
PREPARE = """
create table numbered as
    select track, row_number() over (order by track) as number from (select distinct track from entries);
-- A track that occurs earlier in its playlist
create table listed as
    select entry, playlist, position, number,
        row_number() over (partition by playlist, number order by position, entry) > 1 as repeated
    from entries join numbered using (track);
-- Playlists with the same tracks in the same order; the first one stays
create table digests as
    select playlist, md5(string_agg(number, ' ' order by position, entry)) as digest,
        count(*) filter (not repeated) as length
    from listed group by playlist;
create table lists as
    select playlist, length, row_number() over (partition by digest order by playlist) > 1 as again from digests;
-- Playlists that have a track, without those that are there twice
create table owners as
    select number, count(*) filter (not repeated and not again) as owners
    from listed join lists using (playlist) group by number
"""
JUDGE = """
create table judged as
    select entry, playlist, position, number,
        case when repeated then 'repeated_track' when again then 'same_playlist' when owners < ? then 'rare_track'
        when length < ? then 'short_playlist' end as rule
    from listed join lists using (playlist) join owners using (number)
"""
OUTSIDE_CORE = """
delete from core
where playlist in (select playlist from core group by playlist having count(*) < ?)
    or number in (select number from core group by number having count(*) < ?)
"""
COUNTS = """
select coalesce(rule, 'k_core'), count(*) from judged anti join core using (entry) group by all
"""
KEPT = """
select entries.entry, entries.playlist, entries.position, track, title, artist
from entries join core using (entry) order by entries.playlist, entries.position, entry
"""
DROPPED = """
select coalesce(rule, 'k_core') as rule, entry
from judged anti join core using (entry) order by playlist, position, entry
"""


def judge_entries(tables: Engine, params: Filter) -> dict[str, int]:
    """How many of the table `entries` each rule drops; KEPT and DROPPED are queries for the ones kept and dropped.

    What is rare or short only because of what was dropped goes by the rule `k_core`.
    """
    tables.run(PREPARE)
    tables.run(JUDGE, params.min_track_playlists, params.min_tracks)
    tables.run("create table core as select entry, playlist, number from judged where rule is null")
    left = -1
    while left != (left := tables.number("select count(*) from core")):
        tables.run(OUTSIDE_CORE, params.min_tracks, params.min_track_playlists)
    counts: dict[str, int] = dict(tables.rows(COUNTS).itertuples(index=False))
    return {rule: int(counts.get(rule, 0)) for rule in RULES}


SAME_PLAYLISTS = "select source, playlists.key as place, digest as key from playlists join digests using (playlist)"
"""The source, place (its own id) and key of every playlist: those with one key have the same tracks in order."""
