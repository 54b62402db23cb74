"""Encoding in chunks: a run that was killed resumes, and the vectors are those of one pass, to the last digit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rella_hub.corpora import load_corpus
from rella_hub.files.hashes import hash_file
from rella_hub.stages import encode as chunked
from rella_hub.stages.arguments import EncoderArguments
from rella_hub.stages.embed import embed
from rella_hub.tables import store


@pytest.fixture
def options(tiny_encoder, monkeypatch) -> EncoderArguments:
    monkeypatch.setattr(chunked, "BATCHES_PER_CHUNK", 2)
    return EncoderArguments(encoder=str(tiny_encoder), dimension=4, encoder_batch_size=3)


def vectors_in(folder) -> list[str]:
    return [hash_file(path) for path in store.files_of(folder, "item_vectors")]


def test_chunks_give_the_vectors_of_one_pass(prepared, options):
    import polars as pl

    from rella_hub.stages.arguments import THIS_PROCESS
    from rella_hub.stages.chunks.processes import processes
    from rella_hub.vectors.encode import encode, load_encoder

    items = pl.from_arrow(store.read(prepared.folder, "items"))
    texts = load_corpus("ml1m").words.description(items).to_list()
    output = prepared.folder / "item_vectors"
    found = chunked.encode_in_chunks(output, {}, texts, options, THIS_PROCESS, processes(), False)
    assert np.array_equal(found, encode(load_encoder(options.encoder), texts, 3))


@pytest.mark.parametrize("after", [0, 1, 4])
def test_an_interrupted_encoding_resumes(prepared, options, monkeypatch, after, capsys):
    embed(prepared, options)
    undisturbed = vectors_in(prepared.folder)
    for path in store.files_of(prepared.folder, "item_vectors"):
        path.unlink()
    calls, real = [], chunked.encode_batch

    def counted(encoder, texts):
        if len(calls) == after:
            raise KeyboardInterrupt
        calls.append(texts)
        return real(encoder, texts)

    with monkeypatch.context() as patched:
        patched.setattr(chunked, "encode_batch", counted)
        with pytest.raises(KeyboardInterrupt):
            embed(prepared, options)
    kept = 6 * (after // 2)
    assert f"{kept} of " in capsys.readouterr().err
    encoded = []
    monkeypatch.setattr(chunked, "encode_batch", lambda encoder, texts: encoded.extend(texts) or real(encoder, texts))
    embed(prepared, options)
    assert len(encoded) == store.count_rows(prepared.folder, "items") - kept
    assert vectors_in(prepared.folder) == undisturbed
    assert not list(prepared.folder.glob(".item_vectors*"))


def test_chunks_of_another_encoder_are_refused(prepared, options, monkeypatch):
    def interrupted(encoder, texts):
        raise KeyboardInterrupt

    real = chunked.encode_batch
    calls = []

    def once(encoder, texts):
        calls.append(1)
        return real(encoder, texts) if len(calls) < 4 else interrupted(encoder, texts)

    with monkeypatch.context() as patched:
        patched.setattr(chunked, "encode_batch", once)
        with pytest.raises(KeyboardInterrupt):
            embed(prepared, options)
    with pytest.raises(ValueError, match="its dimension is 4, asked for is 3"):
        embed(prepared, replace(options, dimension=3))
    embed(replace(prepared, overwrite=True), replace(options, dimension=3))


def test_texts_for_which_a_gpu_has_no_memory_are_read_in_halves(tiny_encoder, monkeypatch, capsys):
    from rella_hub.vectors import encode as module

    real, encoder = module._pooled, module.load_encoder(str(tiny_encoder))
    texts = [f"The title of the movie is {word}." for word in ("Orbit", "Sea", "Rain", "Hill", "Owl")]
    expected = module.encode(encoder, texts)

    def crowded(encoder, texts):
        if len(texts) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return real(encoder, texts)

    monkeypatch.setattr(module, "_pooled", crowded)
    np.testing.assert_allclose(module.encode(encoder, texts), expected, atol=1e-6)
    assert "no memory for 5 item descriptions at once; they are read in halves" in capsys.readouterr().err
