"""The fields of a row as text: the wording, which behaviors are shown, and that nothing of the target but its item is told."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import tiny_bert

from rella_hub.corpora import corpus_ids, load_corpus
from rella_hub.stages.prompt import load_sources
from rella_hub.systems.encoder import inputs
from rella_hub.systems.encoder.inputs import Seen, Side, open_sides, read_samples
from rella_hub.systems.encoder.tokens import Budget, batches, tokenize
from rella_hub.tables import store

MODELS = ("ctr_bert", "ptab")


def texts(side: Side, sample_id) -> list[str]:
    keys, of_sample = np.unique(side.keys(np.asarray(sample_id)), return_inverse=True)
    distinct = [text for part in side.texts(keys) for text in part.to_pylist()]
    return [distinct[code] for code in of_sample]


def of_all(folder, seen: Seen, sample_id) -> list[list[str]]:
    return [texts(side, sample_id) for side in open_sides(folder, seen)]


def test_a_row_in_the_words_of_each_model(prepared):
    """By hand, from the tables."""
    source = load_sources(prepared.folder)
    sample = int(store.read(prepared.folder, "samples", "test")["sample_id"][0].as_py())
    user, item = (
        source.users.row(source.user_code[sample], named=True),
        source.items.row(source.item_code[sample], named=True),
    )
    shown = []
    for row in (sample - 1, sample - 2):
        rating = int(source.rating[row])
        title = source.items["title"][int(source.item_code[row])]
        shown.append(f"{title} ({rating} star{'s' if rating > 1 else ''})")
    who = (
        f"User ID is {user['user_id']}. Gender is {user['gender']}. Age is {user['age']}. Occupation is {user['occupation']}. "
        f"Zip code is {user['zip_code']}."
    )
    what = f"Movie ID is {item['item_id']}. Title is {item['title']}. Genre is {item['genre']}."
    assert of_all(prepared.folder, Seen("ctr_bert", "ml1m", True, 0), [sample]) == [[who], [what]]
    assert of_all(prepared.folder, Seen("ctr_bert", "ml1m", True, 2), [sample]) == [
        [f"{who} History is {', '.join(shown)}."],
        [what],
    ]
    pairs = (
        f"user id: {user['user_id']} gender: {user['gender']} age: {user['age']} occupation: {user['occupation']} "
        f"zip code: {user['zip_code']} movie id: {item['item_id']} title: {item['title']} genre: {item['genre']}"
    )
    assert of_all(prepared.folder, Seen("ptab", "ml1m", True, 0), [sample]) == [[pairs]]
    assert of_all(prepared.folder, Seen("ptab", "ml1m", True, 2), [sample]) == [
        [f"{pairs} history: {', '.join(shown)}"]
    ]
    (without,) = of_all(prepared.folder, Seen("ptab", "ml1m", False, 0), [sample])[0]
    assert "id:" not in without
    assert without.startswith("gender: ")


@pytest.mark.parametrize("model", MODELS)
def test_no_label_and_no_rating_of_a_target_enters_a_text(prepared, model, monkeypatch):
    """All ratings and labels from a sample's own on may change, and no text of it does."""
    ids = store.read(prepared.folder, "samples", "train")["sample_id"].to_numpy()
    seen = Seen(model, "ml1m", True, 3)
    before = of_all(prepared.folder, seen, ids)
    source = load_sources(prepared.folder)
    for number, sample in enumerate(ids[:20]):
        rating, label, item = source.rating.copy(), 1 - source.label, source.item_code.copy()
        rating[sample:] = source.ratings[0]
        item[sample + 1 :] = 0
        changed = replace(source, rating=rating, label=label, item_code=item)
        monkeypatch.setattr(inputs, "load_sources", lambda folder, changed=changed: changed)
        after = of_all(prepared.folder, seen, ids[number : number + 1])
        assert [one[0] for one in after] == [one[number] for one in before]


@pytest.mark.parametrize("model", MODELS)
def test_every_sample_has_its_own_text_however_samples_are_ordered(prepared, model):
    ids = store.read(prepared.folder, "samples", "train")["sample_id"].to_numpy()
    for length in (0, 3):
        whole = of_all(prepared.folder, Seen(model, "ml1m", True, length), ids)
        for side, found in enumerate(of_all(prepared.folder, Seen(model, "ml1m", True, length), ids[::-1])):
            assert found[::-1] == whole[side]
        alone = of_all(prepared.folder, Seen(model, "ml1m", True, length), ids[7:8])
        assert [one[0] for one in alone] == [one[7] for one in whole]


def test_a_history_is_at_most_as_long_as_asked_and_never_of_another_user(prepared):
    source = load_sources(prepared.folder)
    ids = store.read(prepared.folder, "samples", "train")["sample_id"].to_numpy()
    (rows,) = of_all(prepared.folder, Seen("ptab", "ml1m", True, 1000), ids)
    assert [text.partition(" history: ")[2].count(" star") for text in rows] == source.position[ids].tolist()


@pytest.mark.parametrize("corpus", [one for one in corpus_ids() if load_corpus(one).rating_range])
def test_every_corpus_has_fields_to_make_a_text_of(corpus):
    assert set(load_corpus(corpus).features) > {"user_id", "item_id", "title"}


def test_a_data_set_of_another_corpus_is_refused(prepared):
    with pytest.raises(ValueError, match=r"was trained on ml25m, the data set .* is ml1m"):
        open_sides(prepared.folder, Seen("ptab", "ml25m", True, 0))


def arrow(*words: str) -> list[pa.LargeStringArray]:
    return [pa.array(words, pa.large_string())]


def test_tokens_are_those_of_the_tokenizer():
    words, some = tiny_bert.tokenizer(), ("a movie", "user id: 7", "")
    tokens = tokenize([*arrow(*some[:2]), *arrow(some[2])], Budget(words, 20, "none"), "row")
    assert [tokens.ids[a:b].tolist() for a, b in zip(tokens.starts, tokens.starts[1:], strict=False)] == words(
        list(some)
    )["input_ids"]
    ids, real = tokens.padded(np.array([2, 1]), pad=0)
    padded = words([some[2], some[1]], padding=True)
    assert ids.tolist() == padded["input_ids"]
    assert real.int().tolist() == padded["attention_mask"]


def test_a_text_over_the_budget_is_counted_and_cut_only_where_asked():
    words = tiny_bert.tokenizer()
    some = arrow("is is is is", "is", "is is is is is is")
    with pytest.raises(
        ValueError, match=r"2 of 3 user texts are longer than --max_length 5 tokens \(the longest has 8\)"
    ):
        tokenize(some, Budget(words, 5, "none"), "user")
    tokens = tokenize(some, Budget(words, 5, "right"), "user")
    assert tokens.cut == 2
    assert tokens.lengths.tolist() == [5, 3, 5]
    assert words.decode(tokens.ids[:5]) == "[CLS] is is is [SEP]"
    assert tokenize(some, Budget(words, 8, "right"), "user").cut == 0
    with pytest.raises(ValueError, match=r"--max_length is 2; a text of one token takes 3"):
        Budget(words, 2, "none")


def test_batches_hold_every_text_once_within_the_budget():
    lengths = np.random.default_rng(0).integers(1, 60, 500)
    found = list(batches(lengths, 128))
    assert sorted(np.concatenate(found).tolist()) == list(range(500))
    assert max(lengths[one].max() * len(one) for one in found) <= 128
    assert [one.tolist() for one in batches(np.array([300, 10]), 128)] == [[1], [0]]


def test_samples_share_their_distinct_texts(prepared):
    ids = store.read(prepared.folder, "samples", "train")["sample_id"].to_numpy()
    label = store.read(prepared.folder, "interactions")["label"].to_numpy()
    sides = open_sides(prepared.folder, Seen("ctr_bert", "ml1m", True, 0))
    words = tiny_bert.tokenizer()
    samples = read_samples(sides, ids, Budget(words, 200, "none"), label)
    source = load_sources(prepared.folder)
    counted = [len(np.unique(rows[ids])) for rows in (source.user_code, source.item_code)]
    assert [len(side.tokens) for side in samples.sides] == counted
    assert samples.label.tolist() == label[ids].tolist()
    for side, made in zip(samples.sides, sides, strict=True):
        wanted = words(texts(made, ids))["input_ids"]
        starts = side.tokens.starts
        assert [side.tokens.ids[starts[c] : starts[c + 1]].tolist() for c in side.of_sample] == wanted
