#!/usr/bin/env bash
# The whole of SLIM on a corpus that the project generates: `make demo-slim`. Every line is a command as a user would type it.
# A step whose result stands already, from the same inputs, is skipped; `make clean` starts anew.
set -euo pipefail
cd "$(dirname "$0")/../../.."
recipes=training/recipes/demo
data="--corpus demo --output rella/demo_slim"
runs=runs/demo/slim
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false

run() { printf "\n\033[1m$ %s\033[0m\n" "$*"; "$@" </dev/null; }

# The questions: which of 101 movies comes next? And why: a rule that knows the themes of the titles writes the rationales.
run python dataset_builders/release.py $data --task leave_one_out
run python dataset_builders/rationalize.py $data --teacher themes

# A student learns to write them, on the base model of the demo, and writes everybody's.
run python dataset_builders/release.py --config $recipes/data.yaml
run python training/pretrain.py --config $recipes/base.yaml
run python dataset_builders/distill.py $data
run python training/sft.py --config $recipes/student.yaml
run python dataset_builders/rationalize.py $data --rationales student --teacher language_model --base runs/demo/base \
  --adapter $runs/student/adapter --max_new_tokens 256

# Recommenders with and without, and the controls: each other's rationales, and titles without a rationale.
run python dataset_builders/embed_texts.py $data --texts items titles teacher student
for seed in 0 1 2; do
  while read -r name options; do
    run python training/train.py $options --seed $seed --output_dir $runs/$name/$seed
    run python evaluation/choose.py --model $runs/$name/$seed --system "${name}_s$seed" --dataset rella/demo_slim \
      --config_name candidates --output $runs/choices/${name}_s$seed.parquet
  done <<ROWS
ids --config $recipes/slim_ids.yaml
plus --config $recipes/slim_plus.yaml
titles --config $recipes/slim.yaml --rationales titles
slim_minus --config $recipes/slim.yaml --rationales teacher
slim --config $recipes/slim.yaml --rationales student
slim_shuffled --config $recipes/slim.yaml --rationales student --shuffled true
agnostic_slim_minus --config $recipes/slim.yaml --variant agnostic --rationales teacher
agnostic_slim --config $recipes/slim.yaml --variant agnostic --rationales student
agnostic_shuffled --config $recipes/slim.yaml --variant agnostic --rationales student --shuffled true
ROWS
done
run python evaluation/rankings.py --choices $runs/choices/*.parquet --dataset rella/demo_slim --output $runs/rankings --overwrite true
