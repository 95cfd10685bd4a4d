#!/usr/bin/env bash
# The CogVideoX experts' speed and memory on one GPU; a line of JSON for each run goes to
# $OUT/gpu.jsonl. Fetches LPIPS's weights alone, and goes on without: the models' are random. Then
# those of the hub's models (providers.py), to $OUT/providers.jsonl, for which $SCRATCH (by default
# /tmp) needs 60 GB of disk.
#
#     infra/bench/gpu.sh            # the 2B and the 5B expert, plain and compiled; all providers
#     infra/bench/gpu.sh tiny       # does it run, on any machine
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-.venv/bin/python}
log=${OUT:-.}/gpu.jsonl
export HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1 PYTHONPATH=.${PYTHONPATH:+:$PYTHONPATH}
export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True
: > "$log"

providers() { "$python" infra/bench/providers/run.py "$@" | tee "${OUT:-.}/providers.jsonl"; }
bench() { "$python" infra/bench/cogvideox/run.py --json "$@" | tee -a "$log"; }

if [ "${1:-full}" = tiny ]; then
  for model in tiny tiny-i2v; do
    bench --model "$model" --steps 12 --train-steps 2 --runs 1
  done
  providers --tiny --runs 1
  exit
fi
failed=0
for model in 2b 5b; do
  for how in "" --compile; do
    # Each in its own process: the memory of one is not the next one's, and one that fails is told
    # at the end and does not keep the others from running.
    bench --model "$model" $how || failed=1
  done
done
providers --scratch "${SCRATCH:-/tmp}" || failed=1
exit "$failed"
