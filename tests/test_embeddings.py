"""Item vectors: pooled by hand, one text at a time; reduced by a plain singular value decomposition."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from transformers import AutoModel, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from rella_hub.stages.arguments import EncoderArguments
from rella_hub.stages.embed import embed
from rella_hub.tables import store
from rella_hub.vectors import reduce as pca
from rella_hub.vectors.encode import encode, encoder_revision, load_encoder
from rella_hub.vectors.reduce import normalize, reduce

TEXTS = [
    "The title of the movie is Orbit 9 (1968). The genre of the movie is Sci-Fi.",
    "Sci-Fi",
    "The title of the movie is Winter Regiment (1998).",
    "The",
    "words that no vocabulary knows",
]


@pytest.fixture(scope="module")
def tiny_llama(tiny_tokenizer, tmp_path_factory):
    """A folder with a random causal language model of width 8."""
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
    )
    folder = tmp_path_factory.mktemp("llama")
    LlamaForCausalLM(config).save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(params=["tiny_encoder", "tiny_llama"])
def folder(request):
    """An encoder that looks both ways, and a language model that looks back only."""
    return request.getfixturevalue(request.param)


def test_a_vector_is_the_mean_over_the_tokens_of_a_text_alone(folder):
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = [
            model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0).numpy() for text in TEXTS
        ]
    vectors = encode(load_encoder(str(folder)), TEXTS, batch_size=5)  # all in one batch, padded to the longest
    np.testing.assert_allclose(vectors, np.stack(expected), atol=1e-6)


def test_a_vector_does_not_depend_on_its_batch(folder):
    encoder = load_encoder(str(folder))
    together = encode(encoder, TEXTS, batch_size=5)
    for batch_size in (1, 2, 3):
        np.testing.assert_allclose(encode(encoder, TEXTS, batch_size), together, atol=1e-6)
    np.testing.assert_allclose(encode(encoder, TEXTS[::-1], 2)[::-1], together, atol=1e-6)


def test_a_tokenizer_without_a_padding_token_is_given_one(tiny_llama, tmp_path):
    for path in tiny_llama.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama, pad_token=None, eos_token="[UNK]")
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path).pad_token is None
    expected = encode(load_encoder(str(tiny_llama)), TEXTS)
    np.testing.assert_allclose(encode(load_encoder(str(tmp_path)), TEXTS), expected, atol=1e-6)


def test_a_description_too_long_for_the_encoder_is_not_cut(tiny_encoder):
    with pytest.raises(ValueError, match=r"1 item descriptions are longer than the 64 tokens.*the longest has 65"):
        encode(load_encoder(str(tiny_encoder)), ["The", "The " * 65])


def test_a_vector_that_is_not_finite_is_named(tiny_encoder):
    encoder = load_encoder(str(tiny_encoder))
    encoder.model.embeddings.word_embeddings.weight.data[encoder.tokenizer("Sci")["input_ids"][0]] = float("nan")
    with pytest.raises(ValueError, match="not finite for 'The title of the movie is Orbit 9"):
        encode(encoder, TEXTS)


def test_weights_that_are_not_safetensors_are_refused(tiny_encoder, tmp_path):
    for path in tiny_encoder.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save(AutoModel.from_pretrained(tiny_encoder).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"cannot be loaded.*safetensors"):
        load_encoder(str(tmp_path))


@pytest.mark.parametrize("encoder_id", ["nobody/nothing", "./not-here"])
def test_an_encoder_that_is_not_there(encoder_id):
    with pytest.raises(ValueError, match=rf"The encoder '{encoder_id}' cannot be loaded.*Give a Hub id, a folder"):
        load_encoder(encoder_id)


def test_the_revision_of_a_folder_is_that_of_its_weights(tiny_encoder, tiny_llama, tmp_path):
    for path in tiny_encoder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert encoder_revision(str(tiny_encoder)).startswith("sha256:")
    assert encoder_revision(str(tiny_encoder)) == encoder_revision(str(tmp_path)) != encoder_revision(str(tiny_llama))


shapes = st.tuples(st.integers(3, 12), st.integers(2, 6), st.integers(1, 8), st.integers(0, 99))


@pytest.mark.parametrize("whole", [True, False], ids=["at once", "by blocks"])
@given(shapes)
def test_pca_is_the_singular_value_decomposition_of_centered_vectors(whole, shape):
    items, width, dimension, seed = shape
    vectors = np.random.default_rng(seed).normal(size=(items, width)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        if not whole:
            patch.setattr(pca, "WHOLE", 0)
            patch.setattr(pca, "BLOCK", 3 * width)
        reduced = reduce(vectors, dimension)
    kept = min(dimension, width, items)
    assert reduced.shape == (items, kept)
    centered = vectors.astype(np.float64) - vectors.astype(np.float64).mean(axis=0)
    _, spread, directions = np.linalg.svd(centered, full_matrices=False)
    for component in range(min(kept, items - 1)):  # the last one of as many components as items spans nothing
        if spread[component] < 1e-6:
            continue
        direction = directions[component] * np.sign(directions[component][np.abs(directions[component]).argmax()])
        np.testing.assert_allclose(reduced[:, component], centered @ direction, atol=1e-4)


def test_pca_keeps_the_distances_when_it_keeps_all_dimensions():
    vectors = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    before, after = (np.linalg.norm(x[:, None] - x[None], axis=-1) for x in (vectors, reduce(vectors, 512)))
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_the_sign_of_a_component_does_not_depend_on_the_sign_of_its_solver(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(9, 4))
    expected = reduce(vectors, 3)
    fit_transform = PCA.fit_transform

    def flipped(self, data):
        transformed = fit_transform(self, data)
        self.components_ *= -1
        return -transformed

    monkeypatch.setattr(PCA, "fit_transform", flipped)
    np.testing.assert_array_equal(reduce(vectors, 3), expected)


def test_normalize_gives_directions_and_lengths():
    vectors, norms = normalize(np.array([[3.0, 4.0], [0.0, -2.0]], dtype=np.float32))
    np.testing.assert_allclose(vectors, [[0.6, 0.8], [0, -1]])
    np.testing.assert_allclose(norms, [5, 2])
    with pytest.raises(ValueError, match="1 item vectors have length zero"):
        normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))


def test_the_table_holds_unit_vectors_of_every_item(prepared, tiny_encoder, words):
    embed(prepared, EncoderArguments(encoder=str(tiny_encoder), dimension=4, encoder_batch_size=3))
    table = store.read(prepared.folder, "item_vectors")
    items = store.read(prepared.folder, "items")
    assert table["item_id"].to_pylist() == items["item_id"].to_pylist()
    vectors = np.array(table["vector"].to_pylist())
    assert vectors.shape == (22, 4)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    texts = words.description(pl.from_arrow(items)).to_list()
    expected = reduce(encode(load_encoder(str(tiny_encoder)), texts), 4)
    np.testing.assert_allclose(vectors * table["norm"].to_numpy()[:, None], expected, atol=1e-5)
    assert store.provenance(prepared.folder, "item_vectors")["encoder"] == tiny_encoder.name, "no path of this machine"


def test_a_dimension_of_nothing(prepared):
    with pytest.raises(ValueError, match="--dimension is 0"):
        embed(prepared, EncoderArguments(dimension=0))
