"""The data card of every corpus with a raw fixture: whole golden texts that the Hub would take."""

import re
from pathlib import Path

import pytest
from hub_cards import check_card

from dataset_builders.stages.arguments import FolderArguments, PromptArguments, RawArguments, ViewArguments
from dataset_builders.stages.card import write_card
from dataset_builders.stages.prepare import prepare
from dataset_builders.stages.prompt import build_prompts
from dataset_builders.stages.view import build_views

TESTS = Path(__file__).parent
OF_THE_LIBRARIES = re.compile(
    r"(content sha256|num_bytes|download_size|dataset_size): \w+"
)  # another Parquet writer, other bytes
CORPORA = sorted(path.name for path in (TESTS / "fixtures" / "raw").iterdir())


@pytest.mark.parametrize("corpus", CORPORA)
def test_golden_card(corpus, tmp_path):
    """Delete a golden file to have it written anew, and read it."""
    where = FolderArguments(corpus=corpus, output=str(tmp_path / "rella" / corpus))
    views = ViewArguments(view=["recency"], history_length=[4])
    prepare(where, RawArguments(raw=str(TESTS / "fixtures" / "raw" / corpus)))
    build_views(where, views)
    build_prompts(where, views, PromptArguments())
    write_card(where)
    card = (where.folder / "README.md").read_text(encoding="utf-8")
    assert check_card(card, "dataset") == ([], [])
    card = OF_THE_LIBRARIES.sub(r"\1: ...", card).encode()
    golden = TESTS / "golden" / corpus / "card.md"
    if not golden.exists():
        golden.write_bytes(card)
        pytest.fail(f"{golden.name} of {corpus} was not there and is written now. Read it, and run again.")
    assert card == golden.read_bytes()
