"""
Memory of retina's training data: photographs kept decoded, against decoded with each batch.

    env PYTHONPATH=src:. python benchmarks/retina_memory.py    # prints JSON, also in benchmarks/results/

A tenth of EyePACS' 35,126 photographs at 320 pixels, drawn, in a table as ingest writes it; each way in a process of
its own, which reads the table as train does and then the batches of 32 of a tenth of an epoch. `mib` is the peak above
that of a process which has imported the same and read nothing.
"""

import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from measure import ROOT, report

from winnow.domains.retina.model.photographs import DECODED_AT_MOST, Photographs
from winnow.domains.retina.source.fundus import draw_fundus
from winnow.domains.retina.source.photographs import prepare
from winnow.domains.retina.tables import Pixels
from winnow.pipeline.tables import read_table, write_table

ROWS, SIDE, BATCH, DRAWN = 3512, 320, 32, 40


def make(target: Path) -> float:
    """Write the table; the mean bytes of a photograph. What follows a PNG's end makes equal pictures unequal bytes."""
    rng = np.random.default_rng(0)
    pngs = []
    for number in range(DRAWN):
        file = io.BytesIO()
        draw_fundus(number % 5, True, SIDE, rng).save(file, format="PNG")
        pngs.append(prepare(file.getvalue(), size=SIDE, crop=True, contrast=False).png)
    unequal = [pngs[row % DRAWN] + row.to_bytes(4, "big") for row in range(ROWS)]
    write_table(target, pd.DataFrame({"image_id": [f"{row:05}" for row in range(ROWS)], "png": unequal}), Pixels)
    return float(np.mean([len(png) for png in unequal]))


def peak_mib() -> float:
    """Of this very process: getrusage would give the parent, if that was larger when it started this one."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def child(table: Path, decoded_at_most: int) -> None:
    """Prints peak memory and the milliseconds of reading a photograph in a batch."""
    if decoded_at_most < 0:
        print(json.dumps({"peak": peak_mib()}))
        return
    photographs = Photographs(read_table(table, Pixels)["png"].tolist(), decoded_at_most)
    order = torch.from_numpy(np.random.default_rng(1).permutation(ROWS)[: ROWS // 10])
    began = time.process_time()
    for rows in torch.split(order, BATCH):
        photographs.read(rows)
    milliseconds = 1000 * (time.process_time() - began) / len(order)
    print(json.dumps({"peak": peak_mib(), "ms_per_photograph": round(milliseconds, 2)}))


def main() -> None:
    if len(sys.argv) == 3:
        child(Path(sys.argv[1]), int(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "pixels.parquet"
        size = make(table)
        found = {}
        for name, bound in (("nothing", -1), ("with_each_batch", 0), ("kept_decoded", DECODED_AT_MOST)):
            command = [sys.executable, __file__, str(table), str(bound)]
            told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
            found[name] = json.loads(told)
    empty = found.pop("nothing")["peak"]
    for figures in found.values():
        figures["mib"] = round(figures.pop("peak") - empty)
    report("retina_memory", {"rows": ROWS, "encoded_bytes_per_photograph": round(size), **found})


if __name__ == "__main__":
    main()
