#!/usr/bin/env bash
# The traditional CTR models on MovieLens-1M: data set → search of the settings on validation → best setting with three seeds → scores on
# test → the paper's main table. Then SIM on few samples. What is finished is kept: run it again after an interruption.
#   bash training/recipes/ml1m/run_ctr.sh ml-1m.zip
set -euo pipefail
raw=${1:?Give the MovieLens-1M archive: bash training/recipes/ml1m/run_ctr.sh ml-1m.zip}
here=$(cd "$(dirname "$0")/../../.." && pwd)
scores=runs/ml1m/scores/ctr

score() { # run folder, name of the score file
  python "$here/evaluation/score.py" --model "$1" --dataset rella/ml1m --config_name subr_k30 --output "$scores/$2.parquet"
}

python "$here/dataset_builders/release.py" --corpus ml1m --raw "$raw" --history_length 30
for model in deepfm autoint dcnv2 gru4rec caser sasrec din sim; do
  case $model in
    dcnv2 | gru4rec) grid='{"dropout": [0.0, 0.2]}' ;;
    *) grid='{"embedding_size": [32, 64], "dropout": [0.0, 0.2]}' ;;
  esac
  python "$here/training/ctr_grid.py" --config "$here/training/recipes/ml1m/$model.yaml" --output_dir "runs/ml1m/grid/$model" \
    --grid "$grid" --seeds 3
  for seed in 0 1 2; do score "runs/ml1m/grid/$model/seed_$seed" "${model}_$seed"; done
done
for shots in 512 1024 2048 4096 8192 65536; do
  python "$here/training/ctr.py" --config "$here/training/recipes/ml1m/sim_few_shot.yaml" --num_shots $shots \
    --output_dir "runs/ml1m/sim_$shots"
  score "runs/ml1m/sim_$shots" "sim_$shots"
done
python "$here/evaluation/report.py" --table overall --scores $scores/*.parquet --output runs/ml1m/ctr
