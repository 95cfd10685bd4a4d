#!/usr/bin/env bash
# Start `vllm serve` for the slots that speak OpenAI's protocol: instructions, captions, judge.
#
#     cp infra/vllm/.env.example infra/vllm/.env      # and say there what is served
#     infra/vllm/serve.sh [further flags of vllm serve]
#
# Needs vLLM 0.11 or later (its wheel is for CUDA), in an environment of its own: it pins a torch.
# Each variable below may also come from the environment, which comes first. A recipe asks for it by
#
#     models:
#       write: {provider: openai, model: MODEL, base_url: http://HOST:PORT/v1, concurrency: SEQUENCES}
#
# and, with a key, by VLLM_API_KEY's value in the variable that `api_key_variable` names.
# The key guards what lies under /v1 and nothing else of vLLM's server: beyond this machine, put a
# proxy before it that lets only /v1 through.
#
# Answers by JSON schema need no flag: vLLM chooses a backend for them itself.
set -euo pipefail
cd "$(dirname "$0")"

env=${VLLM_ENV:-.env}
if [ -f "$env" ]; then
  while IFS='=' read -r name value; do  # what the environment says stays
    case $name in ''|'#'*) continue;; esac
    [ -z "$value" ] || [ -n "${!name+set}" ] || export "$name=$value"
  done < "$env"
fi

: "${MODEL:?name the model in infra/vllm/.env: a repository of the hub, or a folder}"
command -v vllm >/dev/null || { echo "vllm is not installed; in an environment of its own: uv pip install vllm" >&2; exit 1; }

flags=(
  --host "${HOST:-127.0.0.1}"
  --port "${PORT:-8000}"
  --served-model-name "${NAME:-$MODEL}"
  --tensor-parallel-size "${GPUS:-1}"
  --gpu-memory-utilization "${GPU_MEMORY:-0.9}"
  --max-model-len "${CONTEXT:-8192}"
  --max-num-seqs "${SEQUENCES:-16}"
)
# A commit, so that the same words come from the same weights; a folder has none.
[ -z "${REVISION:-}" ] || flags+=(--revision "$REVISION")
# Frames come as pictures; what is never sent takes no memory.
flags+=(--limit-mm-per-prompt "{\"image\": ${IMAGES:-0}, \"video\": 0}")
# A second bound on a picture's pixels, after the client's `max_pixels`; Qwen's processors know it.
[ -z "${MAX_PIXELS:-}" ] || flags+=(--mm-processor-kwargs "{\"max_pixels\": $MAX_PIXELS}")

exec vllm serve "$MODEL" "${flags[@]}" "$@"
