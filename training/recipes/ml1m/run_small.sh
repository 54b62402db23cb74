#!/usr/bin/env bash
# MovieLens-1M from the raw archive to scored adapters with the small base model, for machines without a Hub or a GPU:
#   bash training/recipes/ml1m/run_small.sh path/to/ml-1m.zip
# Without a path the official archive is downloaded. Writes rella/ml1m/ and runs/ml1m/ under the current folder; a step whose
# result stands already is skipped.
set -euo pipefail
here="$(cd "$(dirname "$0")/../../.." && pwd)"
recipes="$here/training/recipes/ml1m"
raw=(${1:+--raw "$1"})

run() { printf '\n$ %s\n' "$*"; "$@"; }

run python "$here/dataset_builders/release.py" --corpus ml1m "${raw[@]}" --history_length 30
run python "$here/training/pretrain.py" --config "$recipes/small_base.yaml"
run python "$here/training/sft.py" --config "$recipes/small_rella.yaml"
run python "$here/training/sft.py" --config "$recipes/small_recency_only.yaml"
for config in recency_k30 subr_k30; do
  scored=(--base runs/ml1m/small_base --dataset rella/ml1m --config_name $config --split test --limit 10000 --seed 0)
  run python "$here/evaluation/score.py" "${scored[@]}" --output runs/ml1m/scores/zero_shot_$config.parquet
  for system in small_rella small_recency_only; do
    run python "$here/evaluation/score.py" "${scored[@]}" --adapter runs/ml1m/$system/adapter \
      --output runs/ml1m/scores/${system}_$config.parquet
  done
done
run python "$here/evaluation/report.py" --scores runs/ml1m/scores/*.parquet --output "$here/docs/results/ml1m_small"
run python "$here/model_cards/render.py" --run runs/ml1m/small_rella --results "$here/docs/results/ml1m_small/results.json" \
  --output runs/ml1m/small_rella/adapter/README.md
