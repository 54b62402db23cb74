"""Items as tokens of a base model: what they are read as, what trains the projector, and which one fits which base."""

import pytest
import tiny_titles
import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import gelu

from rella_hub.hub.model_folders import Stored
from rella_hub.language_models.item_prompts import MARK, ItemPrompts
from rella_hub.language_models.projector import LAYERS, add_items, initialize, items_of, require_width
from rella_hub.language_models.room import Room

VECTORS = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model():
    made = tiny_titles.llama(320)
    add_items(made, VECTORS)
    return made


def test_an_item_is_read_as_its_projected_vector_and_words_as_before(model):
    plain = tiny_titles.llama(320)
    ids = torch.tensor([[7, 320 + 4, 9, 320, 8]])
    w1, b1, w2, b2 = (one.detach().numpy() for one in items_of(model).projector.parameters())
    expected = plain.get_input_embeddings()(torch.tensor([[7, 0, 9, 0, 8]])).detach()
    for place, item in ((1, 4), (3, 0)):
        hidden = gelu(torch.from_numpy(w1 @ VECTORS[item].numpy() + b1)).numpy()
        expected[0, place] = torch.from_numpy(w2 @ hidden + b2)
    embedded = model.get_input_embeddings()(ids)
    torch.testing.assert_close(embedded, expected)
    torch.testing.assert_close(model(input_ids=ids).logits, plain(inputs_embeds=expected).logits)
    words = torch.tensor([[7, 9, 8]])
    assert torch.equal(model(input_ids=words).logits, plain(input_ids=words).logits)


def test_the_base_keeps_its_vocabulary_and_its_weights(model):
    plain = tiny_titles.llama(320)
    assert model.config.vocab_size == model.get_input_embeddings().weight.shape[0] == 320
    assert model(input_ids=torch.tensor([[324]])).logits.shape == (1, 1, 320)
    assert not [name for name in model.state_dict() if name.endswith("vectors")], "the table is no weight of the model"
    for name, weight in plain.state_dict().items():
        assert torch.equal(model.state_dict()[name.replace("embed_tokens", "embed_tokens.words")], weight)


def test_only_rows_with_an_item_move_the_projector(model):
    tuned = get_peft_model(
        model, LoraConfig(target_modules=["q_proj"], modules_to_save=[LAYERS], task_type="CAUSAL_LM")
    )
    trained = {name: weight for name, weight in tuned.named_parameters() if weight.requires_grad}
    projector = {name: weight for name, weight in trained.items() if LAYERS in name}
    assert len(projector) == 4
    assert len(trained) == 4 + 2 * 2, "else a new row or a word is trained"
    optimizer = torch.optim.AdamW(trained.values(), lr=0.1, weight_decay=0.1)
    for ids, moves in (([[7, 9, 8]], False), ([[7, 321, 8]], True), ([[5, 6]], False)):
        before = {name: weight.detach().numpy().tobytes() for name, weight in projector.items()}
        tuned(input_ids=torch.tensor(ids), labels=torch.tensor(ids).clamp(max=319)).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        changed = {name for name, weight in projector.items() if weight.detach().numpy().tobytes() != before[name]}
        assert changed == (set(projector) if moves else set())


def test_new_weights_depend_on_the_seed_alone(model):
    def drawn(seed: int) -> bytes:
        torch.rand(3)
        initialize(items_of(model).projector, seed)
        return b"".join(weight.detach().numpy().tobytes() for weight in items_of(model).projector.parameters())

    assert drawn(1) == drawn(1) != drawn(2)


def test_a_projector_of_another_width_is_refused():
    stored = {
        f"base_model.model.model.embed_tokens.{LAYERS}.{part}": Stored(shape, "F32")
        for part, shape in {"0.weight": (16, 3), "0.bias": (16,), "2.weight": (16, 16), "2.bias": (16,)}.items()
    }
    require_width(stored, "runs/llara", 3, 16)
    with pytest.raises(
        ValueError, match=r"projector of 'runs/llara' has 0.weight of \(16, 3\).*base of width 32 need \(32, 3\)"
    ):
        require_width(stored, "runs/llara", 3, 32)
    with pytest.raises(ValueError, match=r"has 0.weight of \(16, 3\); vectors of 64 numbers"):
        require_width(stored, "runs/llara", 64, 16)
    with pytest.raises(ValueError, match=r"has 0\.weight of no size"):
        require_width({}, "runs/llara", 3, 16)


def test_a_base_without_rows_of_tokens_is_refused(model):
    with pytest.raises(ValueError, match="embeddings of the base are a WithItems"):
        add_items(model, VECTORS)


@pytest.fixture(scope="module")
def reader():
    tokenizer = tiny_titles.tokenizer()
    return ItemPrompts.of(tokenizer, "base", Room(1000, 1000, None), None, None), tokenizer


def test_marks_become_items_and_the_words_between_them_stay(reader):
    prompts, tokenizer = reader
    (ids,), ((answer,),) = prompts.encode([f"Heat{MARK}, Casino{MARK}.\n"], [[7, 3]], [["Heat\n"]])
    parts = [tokenizer(text)["input_ids"] for text in ("Heat", ", Casino", ".\n")]
    assert ids == [*parts[0], 1007, *parts[1], 1003, *parts[2]]
    assert answer == tokenizer("Heat\n")["input_ids"]
    assert len(tokenizer) == len(prompts.tokenizer) - 1, "the base's own tokenizer is not changed"
    (plain,), _ = prompts.encode(["Heat, Casino.\n"], None, [["Heat\n"]])
    assert plain == tokenizer("Heat, Casino.\n")["input_ids"]


def test_a_title_that_holds_the_mark_is_an_error(reader):
    prompts, _ = reader
    for items in (None, [[1]]):
        with pytest.raises(ValueError, match=r"has \d places of items where \d are meant"):
            prompts.encode([f"He{MARK}at{MARK}.\n"], items, [["Heat\n"]])


def test_a_prompt_over_the_budget_is_an_error(reader):
    prompts = ItemPrompts.of(reader[1], "base", Room(1000, 1000, None), 2, None)
    with pytest.raises(ValueError, match="1 of 1 prompts are longer than max_length = 2"):
        prompts.encode([f"Heat{MARK}, Casino{MARK}.\n"], [[0, 1]], [["Heat\n"]])


@pytest.mark.parametrize(
    ("room", "said"), [(Room(300, 300, None), "writes the token"), (Room(1000, 1000, 6), "longer than the 6 tokens")]
)
def test_a_base_without_room_for_a_prompt_and_its_answer(reader, room, said):
    prompts = ItemPrompts.of(reader[1], "base", room, None, None)
    with pytest.raises(ValueError, match=said):
        prompts.encode([f"Heat{MARK}, Casino{MARK}.\n"], [[0, 1]], [["Heat\n"]])
