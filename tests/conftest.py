"""What all tests share: no network, caches that vanish, a raw corpus of a hundred invented ratings, a tiny random encoder."""

import os
import tempfile

# Read when the libraries are imported, so set before any of them is. `datasets` serves stale rows out of a cache that lasts.
_CACHES = tempfile.TemporaryDirectory(prefix="rella-tests-")
for _name in ("HF_DATASETS_CACHE", "HF_HUB_CACHE", "HF_TOKEN", "HF_ENDPOINT", "TRANSFORMERS_CACHE"):
    os.environ.pop(_name, None)
os.environ |= {"HF_HOME": _CACHES.name, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from dataset_builders.corpora import load_corpus  # noqa: E402
from dataset_builders.stages.arguments import FolderArguments, RawArguments  # noqa: E402
from dataset_builders.stages.prepare import prepare  # noqa: E402

FIXTURES = Path(__file__).parent / "fixtures"

settings.register_profile("any machine", deadline=None)  # a busy machine is no bug
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def raw_ml1m() -> Path:
    """Invented ratings in the format of MovieLens-1M, with gaps in the ids and ISO-8859-1 letters."""
    return FIXTURES / "raw" / "ml1m"


@pytest.fixture
def where(tmp_path) -> FolderArguments:
    return FolderArguments(corpus="ml1m", output=str(tmp_path / "rella" / "ml1m"))


@pytest.fixture
def prepared(where, raw_ml1m) -> FolderArguments:
    """The four tables of the invented corpus."""
    prepare(where, RawArguments(raw=str(raw_ml1m)))
    return where


@pytest.fixture(scope="session")
def tiny_tokenizer(raw_ml1m):
    """A word tokenizer that knows the words of the invented corpus."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = set()
    for path in raw_ml1m.glob("*.dat"):
        for word, _ in pre_tokenizers.Whitespace().pre_tokenize_str(path.read_text(encoding="latin-1")):
            words.add(word)
    words |= {"The", "title", "genre", "of", "the", "movie", "is", "."}
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")


@pytest.fixture(scope="session")
def tiny_encoder(tiny_tokenizer, tmp_path_factory) -> Path:
    """A folder with a random BERT of width 16."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    folder = tmp_path_factory.mktemp("encoder")
    BertModel(config).eval().save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def words():
    return load_corpus("ml1m").words
