"""ReiT: tune a base model on prompts with TRL's SFTTrainer and keep the adapter of the best validation epoch.

Without --config, training/recipes/ml1m/rella.yaml (the paper's row for MovieLens-1M) fills in all that is not given, which the first
line of output says; the defaults below are its values. The run folder gets the adapter, the recipe, the log and the curve; a run that was
interrupted resumes from its last checkpoint. With --push_to_hub the adapter of the finished run is published. Its card says that it has no
scores yet. Permission to push is checked before training starts.

examples:
  python training/sft.py --config training/recipes/demo/rella.yaml
  python training/sft.py --config training/recipes/ml1m/rella.yaml --num_shots 1024 --base Qwen/Qwen3-0.6B \\
      --chat_template_kwargs '{"enable_thinking": false}'
  python training/sft.py --config training/recipes/ml1m/rella.yaml --quantization 4bit --learning_rate 1.5e-3
  python training/sft.py --config training/recipes/ml1m/rella.yaml --push_to_hub --hub_model_id me/ml1m-rella-vicuna-13b
  accelerate launch --num_processes 4 training/sft.py --config training/recipes/ml1m/rella.yaml

First are the options of this project, then those of TRL's SFTConfig that have an effect here; the others are refused, with the reason. Last
are those of publishing.
"""

from pathlib import Path

from rella_hub import cli

RECIPES = Path(__file__).parent / "recipes"


def main() -> None:
    from rella_hub.systems.training import run

    run("adapter", __doc__, fallback=RECIPES / "ml1m" / "rella.yaml")


if __name__ == "__main__":
    cli.run(main)
