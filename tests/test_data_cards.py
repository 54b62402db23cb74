"""The data card of every corpus with a raw fixture: whole golden texts that the Hub would take."""

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hub_cards import check_card
from nasty import NASTY, active, rows_of, unseen

from rella_hub.cards.dataset import push
from rella_hub.cards.dataset.card import write_card
from rella_hub.corpora import load_corpus
from rella_hub.stages.arguments import FolderArguments, PromptArguments, RawArguments, ViewArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.tables import store

TESTS = Path(__file__).parent
OF_THE_LIBRARIES = re.compile(
    r"(content sha256|num_bytes|download_size|dataset_size): \w+"
)  # another Parquet writer, other bytes
CORPORA = [
    path.name for path in sorted((TESTS / "fixtures" / "raw").iterdir()) if load_corpus(path.name).rating_range
]  # of the others nobody knows what was liked


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


def test_titles_and_folders_are_text_in_the_card(where, prepared):
    build_views(where, ViewArguments(view=["recency"], history_length=[3]))
    build_prompts(where, ViewArguments(view=["recency"], history_length=[3]), PromptArguments())
    write_card(where)
    before = (where.folder / "README.md").read_text(encoding="utf-8")
    (path,) = store.shard_paths(where.folder, "recency_k3", "test")
    table = pq.read_table(path)
    titles = "\n".join([*NASTY.values(), "````", "~~~", "</code></pre>", "# heading"]).replace("\ud800", "")
    table = table.set_column(1, "prompt", [[titles, *table["prompt"].to_pylist()[1:]]])
    pq.write_table(table, path)
    nasty = FolderArguments(corpus="ml1m", output=str(where.folder.with_name("a [x](y) `b` <b> \x1b[31m|")))
    where.folder.rename(nasty.folder)
    options = push.PushArguments(permission="Yes.\n\n# <script>x</script> | {{ x }}")
    card = push._card(nasty.folder, load_corpus("ml1m"), store.table_names(nasty.folder), "me/ml1m", options)
    assert "{{ x }} {% if %} {# y #}" in card
    assert unseen(card) <= {"\t"}
    assert check_card(card, "dataset")[0] == []
    body, plain_body = (text.partition("\n---\n")[2] for text in (card, before))
    assert active(body).count("heading_open") == active(plain_body).count("heading_open")
    assert rows_of(body) == rows_of(plain_body)
    assert "<script>" not in re.sub(r"```.*?^`{3,}$|`[^`]+`", "", body, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("name", "told"), [("a[b]", True), ("a*", True), ("$HOME", True), ("a b#%é", False)])
def test_a_folder_that_the_library_datasets_cannot_read_is_said(tmp_path, raw_ml1m, capsys, name, told):
    where = FolderArguments(corpus="ml1m", output=str(tmp_path / name))
    prepare(where, RawArguments(raw=str(raw_ml1m)))
    write_card(where)
    assert store.count_rows(where.folder, "items") > 0
    assert ("load_dataset cannot be relied on" in capsys.readouterr().err) is told
