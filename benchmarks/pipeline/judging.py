"""Does `winnow compare` judge right? Ten changes that are none but a training seed, and ten real improvements.

python -m benchmarks.pipeline.judging sessions playlists [--runs 10]     in a clone of the last commit

A change of `train.seed` alone should be judged "not distinguishable", and training for the default's epochs rather than
one "better". The seeds are others than those that noise.json was measured with.
"""

import argparse
import tempfile
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path

from benchmarks.measure import clone, merge, run
from winnow.compare.differences import BETTER, WORSE, compare, decide
from winnow.compare.revisions import Revision
from winnow.pipeline.params import PARAMS_FILE, Document

FIRST_SEED = 101


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("domains", nargs="+")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    for domain in options.domains:
        with tempfile.TemporaryDirectory() as folder:
            copy = clone(Path(folder, "winnow"))
            merge("pipeline/judging", {domain: judged(domain, copy, range(FIRST_SEED, FIRST_SEED + options.runs))})


def judged(domain: str, copy: Path, seeds: range) -> dict[str, object]:
    """What was decided about each pair, and how often it was right."""
    run(["dvc", "repro", "--quiet", f"evaluate@{domain}"], copy)
    run(["git", "-c", "user.name=benchmark", "-c", "user.email=", "commit", "-qam", "results", "--allow-empty"], copy)
    with chdir(copy):
        headline = Document(PARAMS_FILE).content[domain]["evaluate"]["gate"]["headline"]
        alike, improved = {}, {}
        for seed in seeds:
            for name, changes in (("seed", {}), ("short", {"epochs": 1})):
                run(["git", "checkout", "-q", "."], copy)  # an experiment leaves its params in the workspace
                values = {"seed": seed, **changes}
                options = [part for key, value in values.items() for part in ("-S", f"{domain}.train.{key}={value}")]
                run(["dvc", "exp", "run", "--quiet", "--name", f"{name}-{seed}", f"evaluate@{domain}", *options], copy)
            alike[str(seed)] = decisions(domain, "HEAD", f"seed-{seed}")
            improved[str(seed)] = decisions(domain, f"short-{seed}", f"seed-{seed}")
            print(domain, seed, alike[str(seed)], improved[str(seed)], flush=True)
    return {
        "seeds_alone_not_distinguishable": sum(not {BETTER, WORSE} & set(each.values()) for each in alike.values()),
        "improvements_better": sum(each[headline] == BETTER for each in improved.values()),
        "runs": len(seeds),
        "headline": headline,
        "seeds_alone": alike,
        "improvements": improved,
    }


def decisions(domain: str, before: str, after: str) -> Mapping[str, str]:
    """What `winnow compare` says of each metric."""
    (found,) = decide([compare(domain, Revision(before), Revision(after))])
    return {each.metric: each.decision for each in found.differences}


if __name__ == "__main__":
    main()
