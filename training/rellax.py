"""ReLLaX: tell an adapter what a frozen CTR model knows of each sample, by gates in LoRA, by soft prompts, or by both.

Gates (CFLoRA) mix the rank-one parts of LoRA as the CTR model's last hidden layer says; a soft prompt stands behind each behavior and
before the answer, projected from the CTR model's embedding of the item. With --adapter the adapter stays as it is, and only these learn, as
in the released code; without, a new LoRA learns along. The run folder gets one file of weights with the CTR model inside: it is loaded
whole or not at all. A run that was interrupted resumes from its last checkpoint.

examples:
  python training/rellax.py --config training/recipes/ml1m/rellax_plus.yaml
  python training/rellax.py --config training/recipes/ml1m/small_rellax_plus.yaml --mode lora_r --output_dir runs/ml1m/rellax_gates
  python training/rellax.py --base Qwen/Qwen3-0.6B --dataset rella/ml1m --config_name subr_k30 --ctr runs/ml1m/sim \\
      --chat_template_kwargs '{"enable_thinking": false}' --output_dir runs/ml1m/rellax
  python evaluation/score.py --model runs/ml1m/rellax_plus --dataset rella/ml1m --config_name subr_k30

First are the options of this project, then those of TRL's SFTConfig that have an effect here; the others are refused, with the reason. Last
are those of publishing.
"""

from rella_hub import cli


def main() -> None:
    from rella_hub.systems.training import run

    run("rellax", __doc__)


if __name__ == "__main__":
    cli.run(main)
