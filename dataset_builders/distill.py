"""Make a student's prompts of a teacher's rationales: the config distillation_<name>, which training/sft.py tunes an adapter on.

examples:
  python dataset_builders/distill.py --corpus demo                                          # of rationales_teacher
  python training/sft.py --config training/recipes/demo/student.yaml                        # and the student that learns from them
"""

from dataclasses import dataclass

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.stages.arguments import FolderArguments


@dataclass(frozen=True)
class DistillationArguments:
    rationales: str = option("Whose rationales, by the name that rationalize.py was given.", "teacher")
    seed: int = option("Seed of the order of the training rows, and of the choice of validation.", 0)


def main() -> None:
    where, options = cli.parse(FolderArguments, DistillationArguments, description=__doc__)
    from rella_hub.cards.dataset.card import write_card
    from rella_hub.stages.rationales.distill import config_of, distill
    from rella_hub.stages.writing import writing

    with writing(where, [config_of(options.rationales)]):
        distill(where, options.rationales, options.seed)
        write_card(where)


if __name__ == "__main__":
    cli.run(main)
