"""ReiT: tune a base model on prompts with TRL's SFTTrainer and keep the adapter of the best validation epoch.

Without --config, training/recipes/ml1m/rella.yaml (the paper's row for MovieLens-1M) fills in all that is not given, which the first
line of output says; the defaults below are its values. The run folder gets the adapter, the recipe, the log and the curve; a run that was
interrupted goes on from its last checkpoint. With --push_to_hub the adapter of the finished run is published, with a card that says that
it is not scored yet; whether it can be is asked before training.

examples:
  python training/sft.py --config training/recipes/demo/rella.yaml
  python training/sft.py --config training/recipes/ml1m/rella.yaml --num_shots 1024 --base Qwen/Qwen3-0.6B \\
      --chat_template_kwargs '{"enable_thinking": false}'
  python training/sft.py --config training/recipes/ml1m/rella.yaml --quantization 4bit --learning_rate 1.5e-3
  python training/sft.py --config training/recipes/ml1m/rella.yaml --push_to_hub --hub_model_id me/ml1m-rella-vicuna-13b
  accelerate launch --num_processes 4 training/sft.py --config training/recipes/ml1m/rella.yaml

Options of ours stand first; below them are those of TRL's SFTConfig that have an effect here. The others are refused, with the reason.
"""

from pathlib import Path

from rella_hub import cli

RECIPES = Path(__file__).parent / "recipes"


def main() -> None:
    from rella_hub.cards.publishing.arguments import AdapterPublishingArguments, PushArguments
    from rella_hub.systems.adapter.config import TuningConfig
    from rella_hub.systems.adapter.not_taken import NOT_TAKEN
    from rella_hub.systems.adapter.options import TuningArguments

    options, publishing, config = cli.parse(
        *(TuningArguments, AdapterPublishingArguments, TuningConfig),
        description=__doc__,
        fallback=RECIPES / "ml1m" / "rella.yaml",
        refused=NOT_TAKEN,
    )
    if not config.push_to_hub:
        cli.refuse_without("--push_to_hub", publishing)
    from rella_hub.language_models.p_yes import p_yes
    from rella_hub.metrics import measure
    from rella_hub.systems.adapter.train import tune
    from rella_hub.systems.adapter.trainer_arguments import sft_config

    pushes = config.push_to_hub and sft_config(config).process_index == 0  # one of several processes
    if pushes:
        from rella_hub.systems.adapter.publish import PlannedRun, check_before_training, push_adapter

        push = PushArguments(config.output_dir, config.hub_model_id, private=bool(config.hub_private_repo))
        check_before_training(PlannedRun(options.base, options.dataset, options.full_finetuning), push, publishing)
    tune(options, config, score=p_yes, measure=measure)
    if pushes:
        push_adapter(push, publishing)


if __name__ == "__main__":
    cli.run(main)
