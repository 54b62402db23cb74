#!/usr/bin/env bash
# The whole of ReLLa on a corpus that the project generates: `make demo`. Every line is a command as a user would type it.
# A step whose result stands already, from the same inputs, is skipped; `make clean` starts anew.
set -euo pipefail
cd "$(dirname "$0")/../../.."
recipes=training/recipes/demo
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false

run() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

run python dataset_builders/release.py --config $recipes/data.yaml
run python training/pretrain.py --config $recipes/base.yaml
run python training/sft.py --config $recipes/rella.yaml
run python training/ctr.py --config $recipes/sim.yaml
for config in recency_k5 subr_k5; do
  run python evaluation/score.py --base runs/demo/base --dataset rella/demo --config_name $config \
    --output runs/demo/scores/zero_shot_$config.parquet
  run python evaluation/score.py --base runs/demo/base --adapter runs/demo/rella/adapter --dataset rella/demo \
    --config_name $config --output runs/demo/scores/rella_$config.parquet
done
run python evaluation/report.py --scores runs/demo/scores/*.parquet --output runs/demo/report
run python model_cards/render.py --run runs/demo/rella --results runs/demo/report/results.json \
  --output runs/demo/rella/adapter/README.md

cat <<'END'

What you have now:
  rella/demo/                    the Hub data set; try: load_dataset("rella/demo", "subr_k5")
  rella/demo/README.md           its card
  runs/demo/report/report.md     the table above;  report.png the figure
  runs/demo/rella/adapter/       the adapter with its card
END
