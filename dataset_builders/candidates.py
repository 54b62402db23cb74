"""Draw the candidates of next-item questions, once and for all systems, and put the questions into words.

The samples must be those of a next-item task (`release.py --task next_item` does all of this at once).

examples:
  python dataset_builders/candidates.py --corpus ml100k                                        # 20 candidates, next_item_k10
  python dataset_builders/candidates.py --corpus ml100k --candidate_draws 5                    # five draws: how much does chance do?
  python dataset_builders/candidates.py --corpus ml100k --candidates_exclude shown --output rella/ml100k-as-released
  python dataset_builders/candidates.py --corpus ml100k --history_length 5 10 20
"""

from rella_hub import cli
from rella_hub.stages.arguments import CandidateArguments, FolderArguments, QuestionArguments


def main() -> None:
    where, drawn, questions = cli.parse(FolderArguments, CandidateArguments, QuestionArguments, description=__doc__)
    from rella_hub.cards.dataset.card import write_card
    from rella_hub.stages.candidates import check, draw_candidates
    from rella_hub.stages.next_item import asked_configs, build_next_item_prompts
    from rella_hub.stages.writing import writing

    check(drawn)
    configs = asked_configs(where.folder, questions.history_length, drawn.candidate_draws)
    with writing(where, [name for config in configs for name in (config.table, config.name)]):
        draw_candidates(where, drawn)
        build_next_item_prompts(where, drawn, questions.history_length)
        write_card(where)


if __name__ == "__main__":
    cli.run(main)
