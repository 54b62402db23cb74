"""Towers that encode each distinct text once: the same values and gradients as row by row; masked tokens only where allowed."""

import copy
import re

import numpy as np
import pyarrow as pa
import pytest
import tiny_bert
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import (
    BertConfig,
    DistilBertConfig,
    DistilBertForMaskedLM,
    RobertaConfig,
    RobertaForMaskedLM,
    get_linear_schedule_with_warmup,
)

from rella_hub.systems.encoder.inputs import Samples, SideTexts
from rella_hub.systems.encoder.loop import predict
from rella_hub.systems.encoder.masked import UNCHOSEN, Masking, token_loss
from rella_hub.systems.encoder.network import Classifier, Computing
from rella_hub.systems.encoder.options import Options
from rella_hub.systems.encoder.pretrained import load_masked, load_towers
from rella_hub.systems.encoder.tokens import Budget, tokenize
from rella_hub.systems.epochs import rate_factor

WORDS = ["movie", "title is", "user id is 7 .", "a", "the movie title is the movie title", "is", "id"]
HOW = Computing(torch.device("cpu"), tokens_per_batch=24)
SHAPE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return tiny_bert.save(tmp_path_factory.mktemp("bert"))


def some_samples(names, seed=0, samples=40) -> Samples:
    """Samples that share a few texts on each side."""
    draw = np.random.default_rng(seed)
    tokens = tokenize([pa.array(WORDS, pa.large_string())], Budget(tiny_bert.tokenizer(), 60, "none"), "row")
    sides = tuple(SideTexts(name, tokens, draw.integers(0, len(WORDS), samples)) for name in names)
    return Samples(sides, draw.integers(0, 2, samples).astype(np.int8))


def classifier(bert, names, dropout=0.0) -> Classifier:
    towers, words = load_towers(str(bert), None, names)
    torch.manual_seed(1)
    return Classifier(towers, words.pad_token_id, 8, dropout)


def naive(model: Classifier, samples: Samples, rows) -> torch.Tensor:
    """(B,) logits, each text of each row encoded alone."""
    logits = []
    for row in rows:
        vectors = []
        for side in samples.sides:
            code = side.of_sample[row]
            ids = torch.from_numpy(side.tokens.ids[side.tokens.starts[code] : side.tokens.starts[code + 1]]).long()[
                None
            ]
            vectors.append(model.towers[side.name](input_ids=ids).last_hidden_state[:, 0])
        logits.append(model.head(torch.cat(vectors, dim=1))[0, 0])
    return torch.stack(logits)


@pytest.mark.parametrize("names", [("user", "item"), ("row",)], ids=["CTR-BERT", "PTab"])
@pytest.mark.parametrize("twice", [False, True], ids=["kept", "computed twice"])
def test_distinct_texts_give_the_values_and_gradients_of_rows_encoded_alone(bert, names, twice):
    model = classifier(bert, names).eval()  # no dropout, which is drawn in another order
    samples, rows = some_samples(names), np.arange(30)
    label = torch.from_numpy(samples.label[rows]).float()
    how = Computing(HOW.device, tokens_per_batch=24, twice=twice)
    gradients = []
    for logits in (model.logits(samples.sides, rows, how), naive(model, samples, rows)):
        model.zero_grad()
        binary_cross_entropy_with_logits(logits, label).backward()
        gradients.append([logits.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)])
    assert len(gradients[0]) == len(gradients[1]) == 1 + sum(1 for _ in model.parameters())
    for once, alone in zip(*gradients, strict=True):
        assert torch.allclose(once, alone, atol=1e-6)


def test_towers_share_no_weight(bert):
    model = classifier(bert, ("user", "item"))
    user, item = (list(model.towers[name].parameters()) for name in ("user", "item"))
    assert all(torch.equal(one, other) for one, other in zip(user, item, strict=True))
    assert not {p.data_ptr() for p in user} & {p.data_ptr() for p in item}


@pytest.mark.parametrize("tokens_per_batch", [1, 24, 10_000])
def test_scores_do_not_depend_on_how_many_texts_are_encoded_at_once(bert, tokens_per_batch):
    model, samples = classifier(bert, ("user", "item")), some_samples(("user", "item"))
    how = Computing(HOW.device, tokens_per_batch=tokens_per_batch)
    with torch.no_grad():
        alone = torch.sigmoid(naive(model.eval(), samples, range(len(samples)))).numpy()
    assert np.allclose(predict(model.train(), samples, how), alone, atol=1e-6), "and dropout is off"


def test_it_learns_a_handful_of_samples_by_heart(bert):
    model, samples = classifier(bert, ("user", "item")), some_samples(("user", "item"), samples=12)
    for side, codes in zip(samples.sides, (np.arange(12) % 7, np.arange(12) // 7), strict=True):
        side.of_sample[:] = codes  # no two samples are alike
    label = torch.from_numpy(samples.label).float()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for _ in range(30):
        loss = binary_cross_entropy_with_logits(model.train().logits(samples.sides, np.arange(12), HOW), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ((predict(model, samples, HOW) > 0.5) == samples.label).all()


def test_the_rate_is_that_of_the_library():
    for steps, ratio in ((40, 0.05), (7, 0.3), (10, 0.0)):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        schedule = get_linear_schedule_with_warmup(optimizer, int(np.ceil(steps * ratio)), steps)
        for step in range(steps):
            assert rate_factor(step, steps, ratio) == pytest.approx(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()


def test_masks_stand_at_chosen_words_alone_and_the_loss_asks_for_what_stood_there():
    words = tiny_bert.tokenizer()
    rows = words(["the movie title is a movie", "is"] * 400, padding=True, return_tensors="pt")
    ids, real = rows["input_ids"], rows["attention_mask"].bool()
    masked, tokens = Masking(words, 0.15, torch.Generator().manual_seed(0))(ids, real)
    chosen = tokens != UNCHOSEN
    special = torch.isin(ids, torch.tensor(words.all_special_ids))
    assert not (chosen & (special | ~real)).any(), "no special token and no padding is a target"
    assert torch.equal(tokens[chosen], ids[chosen])
    assert torch.equal(masked[~chosen], ids[~chosen]), "what is not chosen stays"
    assert chosen.sum() / (real & ~special).sum() == pytest.approx(0.15, abs=0.02)
    hidden, stays = masked[chosen] == words.mask_token_id, masked[chosen] == ids[chosen]
    assert hidden.float().mean() == pytest.approx(0.8, abs=0.04)
    assert stays.float().mean() == pytest.approx(0.1, abs=0.03)


def test_masks_are_drawn_anew_and_by_their_own_generator():
    words = tiny_bert.tokenizer()
    rows = words(["the movie title is a movie"] * 50, return_tensors="pt")
    inputs = rows["input_ids"], rows["attention_mask"].bool()
    masking = Masking(words, 0.15, torch.Generator().manual_seed(0))
    first, second = masking(*inputs), masking(*inputs)
    assert not torch.equal(first[1], second[1])
    torch.manual_seed(77)
    again = Masking(words, 0.15, torch.Generator().manual_seed(0))(*inputs)
    assert torch.equal(first[0], again[0])


def masked_models():
    yield "bert", tiny_bert.BertForMaskedLM(BertConfig(vocab_size=60, **SHAPE))
    yield (
        "roberta",
        RobertaForMaskedLM(RobertaConfig(vocab_size=60, max_position_embeddings=40, pad_token_id=0, **SHAPE)),
    )
    shape = {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32}
    yield "distilbert", DistilBertForMaskedLM(DistilBertConfig(vocab_size=60, max_position_embeddings=40, **shape))


@pytest.mark.parametrize(("name", "model"), masked_models(), ids=lambda value: value if isinstance(value, str) else "")
def test_the_loss_at_chosen_places_is_that_of_the_whole_model(name, model):
    ids, real = torch.randint(5, 60, (4, 9)), torch.ones(4, 9, dtype=torch.bool)
    real[1, 5:] = False
    tokens = torch.where(torch.rand(4, 9) < 0.4, ids, UNCHOSEN).masked_fill(~real, UNCHOSEN)
    tokens[0, 0] = ids[0, 0]
    model = model.eval()
    whole = model(input_ids=ids, attention_mask=real.long(), labels=tokens).loss
    found = token_loss(model, ids, real, tokens, HOW) / (tokens != UNCHOSEN).sum()
    assert torch.allclose(found, whole, atol=1e-6)


def test_a_missing_head_is_new_and_drawn_by_the_seed(bert, tmp_path):
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        model, _, is_new = load_masked(str(bert), None)
        assert is_new
        heads.append(model.cls.predictions.transform.dense.weight.detach().clone())
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
    stored = tiny_bert.save(tmp_path / "whole", head=True)
    model, _, is_new = load_masked(str(stored), None)
    assert not is_new
    towers, _ = load_towers(str(stored), None, ("row",))
    ids = torch.tensor([[2, 9, 8, 3]])
    body = model.eval().base_model(ids).last_hidden_state
    assert torch.allclose(body, towers["row"].eval()(ids).last_hidden_state, atol=1e-6)


def test_an_encoder_that_cannot_stand_for_a_text_is_refused_in_a_line(tmp_path, tiny_encoder, bert):
    with pytest.raises(ValueError, match=r"puts no \[CLS\] token at the start of a text"):
        load_towers(str(tiny_encoder), None, ("row",))
    maskless = tiny_bert.save(tmp_path / "maskless", tiny_bert.tokenizer(mask_token=None))
    load_towers(str(maskless), None, ("row",))
    with pytest.raises(ValueError, match=r"has no mask token, so PTab's first stage cannot hide any"):
        load_masked(str(maskless), None)
    causal = tiny_bert.save(tmp_path / "causal", is_decoder=True)
    with pytest.raises(ValueError, match=r"does not see what follows"):
        load_towers(str(causal), None, ("row",))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "bert4rec"}, "--model is 'bert4rec'; expected one of ctr_bert, ptab"),
        ({"truncation": "left"}, "--truncation is 'left'"),
        ({"mlm_epochs": 3}, "--mlm_epochs 3 has no effect without --model ptab"),
        ({"history_length": 5}, "--history_length 5 has no effect without --history_in_text true"),
        ({"model": "ptab", "mlm_probability": 0.0}, "--mlm_probability is 0.0; it must be above 0"),
        ({"learning_rate": float("nan")}, "--learning_rate is nan"),
        ({"warmup_ratio": 1.0}, "--warmup_ratio is 1.0"),
        ({"batch_size": 0}, "--batch_size is 0; at least 1"),
        ({"metric_for_best_model": "test_auc"}, "--metric_for_best_model is 'test_auc'; expected one of auc, log_loss"),
        ({"dtype": "float16"}, "--dtype is 'float16'"),
        ({"seed": -1}, "--seed is -1"),
    ],
)
def test_bad_options_are_one_clear_line(changed, said):
    with pytest.raises(ValueError, match=f"^{re.escape(said)}[^\\n]*$"):
        Options(**{"model": "ctr_bert", "dataset": "rella/ml1m", "output_dir": "run"} | changed)


def test_a_copy_of_a_classifier_predicts_the_same_after_loading_its_weights(bert):
    model, samples = classifier(bert, ("row",), 0.5), some_samples(("row",))
    other = classifier(bert, ("row",), 0.5)
    torch.nn.init.normal_(other.head[0].weight)
    other.load_state_dict(copy.deepcopy(model.state_dict()))
    assert np.array_equal(predict(model, samples, HOW), predict(other, samples, HOW))
