#!/usr/bin/env bash
# ReLLaX on MovieLens-1M with the small base: does the CTR model's knowledge help it? Four systems, three seeds, and SIM itself.
# Needs rella/ml1m (dataset_builders/release.py --corpus ml1m --history_length 30). Finished runs and scores are kept.
set -euo pipefail
recipes=$(dirname "$0")
runs=runs/ml1m
python training/pretrain.py --config "$recipes/small_base.yaml"
python training/ctr.py --config "$recipes/sim_few_shot.yaml" --num_shots 8192 --output_dir $runs/sim_8192
score() {
  python evaluation/score.py --model "$1" --dataset rella/ml1m --config_name subr_k30 --limit 10000 --seed 0
}
score $runs/sim_8192
for seed in 42 43 44; do
  origin=$runs/small_rellax_origin_$seed
  python training/sft.py --config "$recipes/small_rellax_origin.yaml" --seed $seed --output_dir $origin
  score $origin
  for part in gates soft_prompts plus; do
    python training/rellax.py --config "$recipes/small_rellax_$part.yaml" --seed $seed --adapter $origin/adapter \
      --output_dir $runs/small_rellax_${part}_$seed
    score $runs/small_rellax_${part}_$seed
  done
done
python evaluation/score.py --base $runs/small_base --dataset rella/ml1m --config_name subr_k30 --limit 10000 --seed 0
python evaluation/report.py --scores $runs/scores/{zero_shot,sim_8192,small_rellax_*}_subr_k30_test.parquet --output $runs/report_rellax
