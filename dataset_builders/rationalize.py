"""Ask a teacher why users chose what they chose: rationales of three steps, for SLIM's recommenders and for a student to learn from.

What is shown of a user are behaviors before one training sample (--written_at), neither its target nor anything later, so a rationale never
serves a target that it has seen. What was written is kept chunk by chunk: a run that broke off resumes when the same command is given
again, and nothing is paid for twice.

examples:
  python dataset_builders/rationalize.py --corpus demo --teacher themes                              # a rule, in seconds
  python dataset_builders/rationalize.py --corpus amazon_games --teacher endpoint --endpoint https://api.openai.com/v1 \\
      --model gpt-4o-mini --users 1000 --prompt_price 0.15 --completion_price 0.6                    # the key: OPENAI_API_KEY
  python dataset_builders/rationalize.py --corpus amazon_games --teacher language_model --base Qwen/Qwen3-4B --users 1000
  python dataset_builders/rationalize.py --corpus amazon_games --teacher language_model --base meta-llama/Llama-2-7b-hf \\
      --adapter runs/amazon_games/student/adapter --rationales student                               # the student writes everybody's
"""

from contextlib import nullcontext

from rella_hub import cli
from rella_hub.stages.arguments import FolderArguments
from rella_hub.stages.rationales.arguments import RationaleArguments, TeacherArguments


def main() -> None:
    where, options, teacher = cli.parse(FolderArguments, RationaleArguments, TeacherArguments, description=__doc__)
    from rella_hub.cards.dataset.card import write_card
    from rella_hub.stages.chunks.processes import processes
    from rella_hub.stages.rationales.rationalize import rationalize
    from rella_hub.stages.writing import writing
    from rella_hub.tables.rationales import table_of

    name, writes = table_of(options.rationales), processes().is_first
    with writing(where, [name], reads=[teacher.base, teacher.adapter]) if writes else nullcontext():
        rationalize(where, options, teacher)
        if writes:
            write_card(where)


if __name__ == "__main__":
    cli.run(main)
