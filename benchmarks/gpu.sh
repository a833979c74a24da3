#!/bin/sh
# All that is to be known of winnow on a GPU, in one go: about half an hour on one card. From the repository's root.
#   sh benchmarks/gpu.sh             keeps benchmarks/pipeline/results/gpu.json
#   sh benchmarks/gpu.sh cpu climb   the same steps on the processor, to try the script; keeps nothing
set -eu
make -s .venv/ready
.venv/bin/python -m benchmarks.pipeline.gpu "$@"
