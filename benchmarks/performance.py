"""docs/performance.md, from the results files: each claim with what it is measured beside, and whether it holds.

python -m benchmarks.performance       (`make bench` measures some anew, and then runs this)
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.measure import ROOT, kept, measured_when

PAGE = ROOT / "docs" / "performance.md"
BEGIN = "<!-- figures: none, `python -m benchmarks.performance` writes them from the results files -->\n"
END = "<!-- end of claims -->\n"


class Claim(NamedTuple):
    """A ratio of two sides that one run measured, and the bound that it is to keep."""

    what: str
    beside: str
    results: str
    """the file, and the program that writes it, such as `pipeline/loop`"""
    ratio: str
    """its place in the results, such as `perceptron.ratio`"""
    bound: str
    """such as `≤ 1.1`"""
    sides: tuple[str, ...] = ("–",)
    """the places of both sides, and their unit"""


LOOP = "a bare PyTorch loop"
DOMAINS = ("articles", "climb", "documents", "playlists", "retina", "sessions")

CLAIMS = (
    Claim(
        "a second `dvc repro`, which runs nothing", "the same graph of empty scripts",
        "pipeline/second_repro", "ratio", "≤ 1.1", ("real_seconds", "empty_seconds", "s"),
    ),
    *(
        Claim(
            f"{name} on tiny input", "what the program imports",
            "pipeline/stage_overhead", f"{name}.ratio", "≤ 1.3", (f"{name}.program", f"{name}.imports", "s"),
        )
        for name in ("ingest", "split", "check")
    ),
    Claim(
        "all stages of six domains, two domains at a time on 2 cores", "one domain after another",
        "pipeline/side_by_side", "ratio", "≤ 0.6", ("side_by_side_seconds", "serial_seconds", "s"),
    ),
    *(
        Claim(
            f"a training step, {name}", LOOP,
            "pipeline/loop", f"{name}.ratio", "≥ 0.97", (f"{name}.loop_ms_per_step", f"{name}.bare_ms_per_step", "ms"),
        )
        for name in ("transformer", "perceptron")
    ),
    Claim(
        "a training step of retina, loader included", LOOP,
        "retina/training", "ratio", "≥ 0.97", ("loop_ms_per_step", "bare_ms_per_step", "ms"),
    ),
    *(
        Claim(
            f"{domain}: a training step of the default, loader included", LOOP,
            "pipeline/throughput", f"{domain}.ratio", "≥ 0.97",
            (f"{domain}.loop_ms_per_step", f"{domain}.bare_ms_per_step", "ms"),
        )
        for domain in DOMAINS
    ),
    *(
        Claim(
            f"{domain}: peak memory of training", LOOP,
            "pipeline/throughput", f"{domain}.memory_ratio", "≤ 1.1",
            (f"{domain}.loop_peak_mib", f"{domain}.bare_peak_mib", "MiB"),
        )
        for domain in DOMAINS
    ),
    Claim(
        "climb: test perplexity, in the same processor time", "a GPT as nanoGPT trains one",
        "climb/peers", "perplexity_over_peer", "≤ 1",
        ("winnow.test_perplexity", "nanogpt_like.test_perplexity", ""),
    ),
    Claim(
        "articles: test MAE, in the same processor time", "transformers' Trainer",
        "articles/peers", "mae_over_peer", "≤ 1", ("winnow.test_mae", "transformers_trainer.test_mae", ""),
    ),
    Claim(
        "playlists: test Recall@10, in the same processor time", "implicit's ALS, the best of its three on validation",
        "playlists/peers", "recall_over_peer", "≥ 1",
        ("winnow.test_recall_at_10", "implicit.als.test_recall_at_10", ""),
    ),
    Claim(
        "sessions: test Recall@10 on Last.fm, in the same time", "implicit's BPR, the best on validation",
        "sessions/peers", "recall_over_peer", "≥ 1",
        ("network.test_recall_at_10", "implicit_bpr.test_recall_at_10", ""),
    ),
    *(
        Claim(
            f"sessions: {name} on Last.fm, seconds to fit", f"{library}, the same Recall@10 or less",
            "sessions/peers", f"rivals.{row}.ratio", "≤ 1.1",
            (f"rivals.{row}.winnow.seconds", f"rivals.{row}.{library}.seconds", "s"),
        )
        for name, row, library in (("item-kNN", "item_knn", "implicit"), ("EASE", "ease", "cornac"))
    ),
    *(
        Claim(
            f"{domain}: an epoch, from the second on", "torchvision's way from JPEG files, over winnow's",
            "pipeline/image_loops", f"{domain}.epoch_ratio", "≥ 3",
            (f"{domain}.torchvision_like.epoch_seconds", f"{domain}.winnow.epoch_seconds", "s"),
        )
        for domain in ("documents",)
    ),
    Claim(
        "an epoch of sessions on Gowalla", "PyTorch Geometric's LightGCN",
        "sessions/speed", "gowalla_epoch_over_pyg_lightgcn", "≤ 1",
        ("gowalla_epoch_seconds.ours", "gowalla_epoch_seconds.pyg_lightgcn", "s"),
    ),
    Claim(
        "ranking all songs for all users", "the bare product and `topk`",
        "sessions/speed", "ranking_speed_over_bare", "≥ 0.9", ("ranking_seconds.ranking", "ranking_seconds.bare", "s"),
    ),
    Claim(
        "1,000 climbing routes at once", "one by one",
        "climb/speed", "times faster", "≥ 5", ("CPU seconds at once", "CPU seconds one by one", "s"),
    ),
    *(
        Claim(
            f"{domain}: `model.onnx` in ONNX Runtime", "the same network in PyTorch, one thread",
            "pipeline/onnx_speed", f"{domain}.onnx_speed_ratio", "≥ 1",
        )
        for domain in ("articles", "climb", "documents", "retina")
    ),
)  # fmt: skip
"""In the order of the page."""


ROWS = "pipeline/rows"
ROWS_BEGIN = "<!-- figures: none, `python -m benchmarks.performance` writes them from rows.json -->\n"
ROWS_END = "<!-- end of rows -->\n"
GROWTH, PEAK_MIB, SECONDS = 11, 2048, 120
"""The bounds: times as much for ten times the rows, memory, and seconds of 10^7 rows."""


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for begin, filled, end in ((BEGIN, table(), END), (ROWS_BEGIN, rows_table(kept(ROWS)), ROWS_END)):
        before, _, rest = text.partition(begin)
        text = before + begin + filled + end + rest.partition(end)[2]
    PAGE.write_text(text, encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} written")


def table() -> str:
    """The claims in Markdown."""
    lines = ["| what | beside | measured | ratio | bound | | command | when |", "|---|---|---|---|---|---|---|---|"]
    lines += [row(claim, kept(claim.results)) for claim in CLAIMS]
    return "\n".join(lines) + "\n"


def row(claim: Claim, found: Mapping[str, Any]) -> str:
    ratio, (sign, bound) = value_at(found, claim.ratio), claim.bound.split()
    holds = ratio <= float(bound) if sign == "≤" else ratio >= float(bound)
    *sides, unit = claim.sides
    measured = " and ".join(f"{value_at(found, side):.4g}" for side in sides)
    command = f"`python -m benchmarks.{claim.results.replace('/', '.')}`"
    when = measured_when(found, claim.ratio.partition(".")[0])
    cells = [claim.what, claim.beside, f"{measured} {unit}".strip(), f"{ratio:.3f}", claim.bound]
    return f"| {' | '.join([*cells, 'holds' if holds else '**missed**', command, when])} |"


def rows_table(found: Mapping[str, Any]) -> str:
    """The largest two sizes at which each stage was measured, ten times apart, in Markdown."""
    lines = ["| stage | rows | processor, wall | ratio | peak MiB | |", "|---|---|---|---|---|---|"]
    for domain, stages in sorted(found.items()):
        if domain != "measured":
            lines += [grown(f"{stage}@{domain}", sizes) for stage, sizes in stages.items()]
    return "\n".join(lines) + "\n"


def grown(stage: str, sizes: Mapping[str, Mapping[str, float]]) -> str:
    """The row of a stage; processor time is what its growth is judged by, since other programs do not change it."""
    most = max(map(int, sizes))
    large, small = sizes[str(most)], sizes[str(most // 10)]
    ratio = large["cpu_seconds"] / small["cpu_seconds"]
    missed = [
        name
        for name, is_missed in (
            ("growth", ratio > GROWTH),
            ("memory", large["peak_mib"] > PEAK_MIB),
            ("time", large["cpu_seconds"] > SECONDS),
        )
        if is_missed
    ]
    told = f"**missed**: {', '.join(missed)}" if missed else "holds" if most == 10**7 else f"holds up to {most:,}"
    seconds = f"{large['cpu_seconds']:.4g} s, {large['seconds']:.4g} s"
    return f"| {stage} | {most:,} | {seconds} | {ratio:.2f} | {large['peak_mib']:,} | {told} |"


def value_at(found: Mapping[str, Any], place: str) -> float:
    """The number at a dotted place of a results file."""
    value: Any = found
    for name in place.split("."):
        value = value[name]
    return float(value)


if __name__ == "__main__":
    main()
