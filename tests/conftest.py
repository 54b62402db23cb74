"""What all tests share: no network, caches that vanish, a raw corpus of a hundred invented ratings, a tiny random encoder."""

import os
import secrets
import tempfile

# Read when the libraries are imported, so set before any of them is. `datasets` serves stale rows out of a cache that lasts.
_CACHES = tempfile.TemporaryDirectory(prefix="rella-tests-")
# What the caller's shell holds for its own work: a Hub account, a proxy that the tests' server on this machine is not behind, a
# cluster to join, processes to wait for, a GPU. The tests give the same result in any shell.
_FOREIGN = (
    "HF_",
    "HUGGING",
    "TRANSFORMERS_",
    "DATASETS_",
    "ACCELERATE_",
    "RAY_",
    "TQDM_",
    "MPLBACKEND",
    "COLUMNS",
    "PYTHONIOENCODING",
)
_FOREIGN += ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_", "SLURM_", "PMI_", "OMPI_")
for _name in list(os.environ):
    if _name.startswith(_FOREIGN) or _name.lower().endswith("_proxy"):
        del os.environ[_name]
os.environ |= {
    "HF_HOME": _CACHES.name,
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "COLUMNS": "80",  # else help is as wide as the window
}
os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # the threads of a tiny model wait for each other longer than they compute

import contextlib  # noqa: E402
import json  # noqa: E402
import runpy  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from rella_hub.corpora import load_corpus  # noqa: E402
from rella_hub.stages.arguments import FolderArguments, RawArguments  # noqa: E402
from rella_hub.stages.prepare import prepare  # noqa: E402

FIXTURES = Path(__file__).parent / "fixtures"
REPOSITORY = Path(__file__).parents[1]

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


@pytest.fixture(params=["8bit", "4bit", "4bit with AVX-512 BF16"])
def quantization(request, monkeypatch) -> str:
    """Each --quantization; 4 bits as on a CPU without and with AVX-512 BF16, whichever this one is: bitsandbytes asks that for
    each layer that it makes, and would repack the weights of one that is told yes."""
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: "AVX-512" in request.param)
    return request.param.split()[0]


@pytest.fixture(scope="session")
def command() -> Callable[..., int]:
    """Run a command in this process, which saves importing the libraries once more, and give its exit code."""

    def run(path: str, *arguments) -> int:
        before = sys.argv
        sys.argv = [path, *map(str, arguments)]
        try:
            runpy.run_path(str(REPOSITORY / path), run_name="__main__")
        except SystemExit as end:
            return end.code
        finally:
            sys.argv = before
        return 0

    return run


@dataclass(frozen=True)
class Smoke:
    """What the three smoke recipes made: runs/smoke/{data,base,rella}."""

    folder: Path  # in which they were run
    said: str  # by the last of them

    @property
    def run(self) -> Path:
        return self.folder / "runs/smoke/rella"

    @property
    def training(self) -> dict:
        return json.loads((self.run / "training.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def smoke(command, tmp_path_factory) -> Smoke:
    """Data set, base model and adapter of the smoke recipes; the adapter as a user trains it, in a process of its own."""
    folder = tmp_path_factory.mktemp("smoke")
    recipes = REPOSITORY / "training/recipes/smoke"
    with contextlib.chdir(folder):
        assert command("dataset_builders/release.py", "--config", recipes / "data.yaml") == 0
        assert command("training/pretrain.py", "--config", recipes / "base.yaml") == 0
    tune = [sys.executable, str(REPOSITORY / "training/sft.py"), "--config", str(recipes / "rella.yaml")]
    done = subprocess.run(tune, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return Smoke(folder, done.stdout)


@pytest.fixture(scope="session")
def ctr_release(command, raw_ml1m, tmp_path_factory):
    """Two CTR models that were trained and scored; see ctr_release.py."""
    from ctr_release import make_release

    return make_release(tmp_path_factory.mktemp("ctr_release"), raw_ml1m, command)


RAY_TOKEN = secrets.token_hex(32)


@pytest.fixture(scope="module")
def ray(tmp_path_factory):
    """Ray, for clusters on this machine; Ray remembers the first token that it reads, so a process has one."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: the extra ray")
    long = tmp_path_factory.mktemp("a folder for temporary files whose path is longer than that of a socket may be")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(long))
        patch.setenv("RAY_TMPDIR", "unset below, and as it was in the end")
        patch.delenv("RAY_TMPDIR")
        patch.setenv("RAY_AUTH_TOKEN", RAY_TOKEN)  # else Ray writes one into the home folder
        yield ray
        ray.shutdown()
