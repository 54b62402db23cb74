"""What P5 reads of a sample: the wording, the numbers, the tokens and their words, and that nothing of the target but its item is told."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import tiny_t5

from rella_hub.corpora import load_corpus
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.prompt import load_sources
from rella_hub.systems.seq2seq import inputs
from rella_hub.systems.seq2seq.inputs import Rows, Seen, number_ids, read_samples
from rella_hub.systems.seq2seq.language import load_language
from rella_hub.systems.seq2seq.text import Texts
from rella_hub.systems.vocabulary import Values
from rella_hub.tables import store


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    folder = tmp_path_factory.mktemp("language")
    tiny_t5.tokenizer().save_pretrained(folder)
    return load_language(folder, "tiny")


def ids_of(where, split="train") -> np.ndarray:
    return store.read(where.folder, "samples", split)["sample_id"].to_numpy()


def rows(where, language, values=None, **seen) -> Rows:
    shown = {"corpus": "ml1m", "history_length": 3, "max_length": 512, "truncation": "none"}
    return Rows(where.folder, Seen(**shown | seen), values or number_ids(where.folder), language)


def test_a_text_is_user_target_question_and_history_the_latest_first(prepared, language):
    """By hand, from the tables; the numbers are those of the ids in ascending order."""
    source, sample = load_sources(prepared.folder), int(ids_of(prepared, "test")[0])
    number = {
        field: {one: n for n, one in enumerate(sorted(store.read(prepared.folder, table)[field].to_pylist()), start=1)}
        for field, table in (("user_id", "users"), ("item_id", "items"))
    }
    interactions = store.read(prepared.folder, "interactions").to_pylist()
    user, target = (number[field][interactions[sample][field]] for field in ("user_id", "item_id"))
    behaviors = [
        f"item_{number['item_id'][interactions[row]['item_id']]} {interactions[row]['rating']:g}"
        for row in (sample - 1, sample - 2, sample - 3)
    ]
    question = f"Will user_{user} like the movie item_{target} or not? Answer yes or no."
    history = f"user_{user} has watched and rated these movies, the latest first: {', '.join(behaviors)}."
    assert rows(prepared, language).texts(np.array([sample])) == [f"{question} {history}"]
    assert rows(prepared, language, history_length=0).texts(np.array([sample])) == [question]
    assert source.position[sample] > 3, "the history is longer than what is shown of it"


def test_other_corpora_have_their_own_words_and_ratings():
    one, there = np.array([1]), np.array([[True, False]])
    for corpus, ratings, expected in (
        ("ml25m", [0.5, 4.5], "user_1 has watched and rated these movies, the latest first: item_2 4.5."),
        ("bookcrossing", [0.0, 10.0], "user_1 has read and rated these books: item_2 10."),
    ):
        texts = Texts(load_corpus(corpus).words, 3, 3, np.array(ratings, dtype=np.float32))
        codes = texts.codes(one, one, np.array([[2, 3]]), np.array([[ratings[1], ratings[0]]], dtype=np.float32), there)
        (text,) = texts.texts(*codes)
        assert text.endswith(f"Answer yes or no. {expected}")


def test_a_sample_without_behaviors_has_no_history():
    texts = Texts(load_corpus("ml1m").words, 3, 3, np.array([1.0, 5.0]))
    none = np.zeros((1, 2))
    (text,) = texts.texts(*texts.codes(np.array([2]), np.array([3]), none.astype(int), none + 1, none.astype(bool)))
    assert text == "Will user_2 like the movie item_3 or not? Answer yes or no."


def test_no_label_and_no_rating_of_a_target_enters_a_text(prepared, language, monkeypatch):
    """All ratings and labels from a sample's own on may change, and all items after it, and no token of its text does."""
    ids = ids_of(prepared)
    before, source = rows(prepared, language), load_sources(prepared.folder)
    for sample in ids[:20]:
        rating, item = source.rating.copy(), source.item_code.copy()
        rating[sample:], item[sample + 1 :] = source.ratings[0], 0
        changed = replace(source, rating=rating, label=1 - source.label, item_code=item)
        monkeypatch.setattr(inputs, "load_sources", lambda folder, changed=changed: changed)
        after, one = rows(prepared, language), np.array([sample])
        assert after.texts(one) == before.texts(one)
        assert after.take(one).ids.tolist() == before.take(one).ids.tolist()


def test_tokens_and_whole_words_are_those_of_a_plain_loop(prepared, language):
    """The tokenizer on each whole text, and P5's count: a piece that begins with the mark opens a word, the end token is in none."""
    chosen = ids_of(prepared)[:32]
    reader = rows(prepared, language)
    reader.check(chosen)
    batch = reader.take(chosen)
    assert len(set(batch.real.sum(1).tolist())) > 1, "texts of one length would show no padding"
    assert reader.lengths(chosen).tolist() == batch.real.sum(1).tolist()
    for text, ids, real, words in zip(reader.texts(chosen), batch.ids, batch.real, batch.words, strict=True):
        expected = language.tokenizer(text)["input_ids"]
        count, counted = 0, []
        for token in expected:
            count += language.tokenizer.convert_ids_to_tokens(token).startswith("▁")
            counted.append(count)
        counted[-1] = 0
        size = len(expected)
        assert ids.tolist() == expected + [language.pad] * (len(ids) - size)
        assert real.tolist() == [True] * size + [False] * (len(ids) - size)
        assert words.tolist() == counted + [0] * (len(ids) - size)
        assert max(counted) == len(text.split())


def test_a_text_over_the_budget_is_an_error_that_counts(prepared, language):
    chosen = ids_of(prepared)
    lengths = rows(prepared, language).lengths(chosen)
    limit = int(np.median(lengths))
    reader = rows(prepared, language, max_length=limit)
    over = int((lengths > limit).sum())
    with pytest.raises(
        ValueError, match=rf"^{over} of {len(chosen)} training texts are longer than --max_length {limit} tokens"
    ):
        read_samples(reader, chosen, "training")
    samples = read_samples(rows(prepared, language, max_length=limit, truncation="right"), chosen, "training")
    assert samples.cut == over


def test_a_cut_drops_the_oldest_behaviors_and_keeps_the_end_token(prepared, language):
    chosen = ids_of(prepared)
    lengths = rows(prepared, language).lengths(chosen)
    limit = int(np.median(lengths))
    cut = rows(prepared, language, max_length=limit, truncation="right").take(chosen)
    whole = rows(prepared, language).take(chosen)
    for short, real, long, length in zip(cut.ids, cut.real, whole.ids, lengths, strict=True):
        size = min(int(length), limit)
        assert real.sum() == size
        assert short[: size - 1].tolist() == long[: size - 1].tolist()
        assert short[size - 1] == language.end


def test_ids_are_numbered_from_1_in_ascending_order_whatever_they_are(prepared, tmp_path):
    numbered = number_ids(prepared.folder)
    numbered.save(tmp_path)
    again = inputs.Values(pl.read_parquet(tmp_path / "vocabulary.parquet"))
    for field, table in (("user_id", "users"), ("item_id", "items")):
        ids = sorted(store.read(prepared.folder, table)[field].to_pylist())
        assert again.codes(pl.Series(ids), field).tolist() == list(range(1, len(ids) + 1))
        assert ids != list(range(1, len(ids) + 1)) or field == "user_id", "ids with gaps, or nothing is shown"


def test_a_user_or_item_without_a_number_is_named(prepared, language):
    known = number_ids(prepared.folder)
    for field, table in (("user_id", "users"), ("item_id", "items")):
        last = store.read(prepared.folder, table)[field].to_pylist()[-1]
        fewer = Values(known.table.filter(~((pl.col("field") == field) & (pl.col("value") == str(last)))))
        with pytest.raises(
            ValueError, match=rf"^1 {table} of .* have no number .*, such as {field} {last}: it was trained on"
        ):
            rows(prepared, language, fewer)


def test_another_corpus_is_refused(prepared, language):
    with pytest.raises(ValueError, match=r"was trained on ml25m, the data set .* is ml1m"):
        rows(prepared, language, corpus="ml25m")


def test_a_tokenizer_that_does_not_read_word_by_word_is_refused(prepared, language):
    class Merging:
        def __call__(self, texts, **options):
            found = language.tokenizer(texts, **options)["input_ids"]
            return {
                "input_ids": [
                    row[: 3 + len(text) % 7] if " " in text else row for row, text in zip(found, texts, strict=True)
                ]
            }

    reader = rows(prepared, replace(language, tokenizer=Merging()))
    with pytest.raises(ValueError, match="reads a word otherwise beside other words than alone"):
        reader.check(ids_of(prepared))


def test_a_corpus_of_one_sample_a_user_is_read_too(tmp_path, language):
    where = FolderArguments(corpus="bookcrossing", output=str(tmp_path / "books"))
    prepare(where, RawArguments(raw=str(tiny_t5.RAW / "bookcrossing")))
    chosen = ids_of(where)
    reader = rows(where, language, corpus="bookcrossing", history_length=60)
    reader.check(chosen)
    source = load_sources(where.folder)
    assert [text.count("item_") for text in reader.texts(chosen)] == (1 + source.position[chosen]).tolist()
