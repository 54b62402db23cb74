#!/usr/bin/env bash
# The traditional CTR models on MovieLens-1M, full-shot: data set → eight models → scores → the paper's main table.
#   bash training/recipes/ml1m/run_ctr.sh ml-1m.zip
set -euo pipefail
raw=${1:?Give the MovieLens-1M archive: bash training/recipes/ml1m/run_ctr.sh ml-1m.zip}
here=$(cd "$(dirname "$0")/../../.." && pwd)
models="deepfm autoint dcnv2 gru4rec caser sasrec din sim"

python "$here/dataset_builders/release.py" --corpus ml1m --raw "$raw" --history_length 30
for model in $models; do
  python "$here/training/ctr.py" --config "$here/training/recipes/ml1m/$model.yaml"
  python "$here/evaluation/score.py" --model "runs/ml1m/$model" --dataset rella/ml1m --config_name subr_k30 \
    --output "runs/ml1m/scores/ctr/$model.parquet"
done
python "$here/evaluation/report.py" --table overall --scores runs/ml1m/scores/ctr/*.parquet --output runs/ml1m/ctr
