"""Adapter folders damaged at random, from a seed: each scores as PEFT alone scores it, or is refused in one line.

Nothing beside the folder is read or written, and no connection is opened, whatever the files say.
"""

import dataclasses
import json
import random
import shutil
import socket
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import peft
import pytest
import torch
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from safetensors.torch import load_file, save_file
from tiny_adapters import answer, base_at, by_peft_alone, config_of, llama, load, lora, make

from rella_hub.language_models.adapter_config import NOT_SCORED, SCORED
from rella_hub.language_models.load import adapter_identity, base_doubt, base_identity, training_samples
from rella_hub.language_models.p_yes import p_yes
from rella_hub.language_models.tokens import Answers

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
CASES = 12
FIELDS = sorted(
    {f.name for known in PEFT_TYPE_TO_CONFIG_MAPPING.values() for f in dataclasses.fields(known)} - {"runtime_config"}
)
opened: list[str] = []  # while a case runs: every file that this process opens
watching = False


def _watch(event: str, arguments: tuple) -> None:
    if watching and event in ("open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "import"):
        opened.append(str(arguments[0]))


sys.addaudithook(_watch)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A base, adapters of every kind, and a folder that nobody may look into, with the weights of another adapter."""
    folder = tmp_path_factory.mktemp("fuzz")
    base = llama(folder / "base")
    make(folder / "canary", base, lora(r=2))
    (folder / "canary" / "secret.py").write_text("raise SystemExit('imported')")
    for kind in SCORED:
        make(folder / kind, base, config_of(kind))
    for number, options in enumerate(
        ({"use_dora": True}, {"modules_to_save": ["lm_head"]}, {"target_modules": ["embed_tokens"]})
    ):
        make(folder / f"LORA{number}", base, lora(**options))
    return folder


@pytest.fixture
def watched(monkeypatch, made):
    """Names of what is opened in the canary's folder, and an error for every connection."""
    global watching

    def refuse(*arguments):
        raise AssertionError(f"a connection was opened: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    before = {path: path.read_bytes() for path in (made / "canary").iterdir()}
    opened.clear()
    watching = True
    yield
    watching = False
    assert not [name for name in opened if "canary" in name or name == "secret"]
    assert {path: path.read_bytes() for path in (made / "canary").iterdir()} == before


def hostile(chance: random.Random, canary: Path) -> object:
    deep: object = 1
    for _ in range(chance.choice((3, 60, 300))):
        deep = [deep] if chance.random() < 0.5 else {"a": deep}
    values = [
        None,
        True,
        False,
        0,
        -1,
        3,
        7.5,
        10**9,
        -(10**18),
        10**30,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "x",
        "all-linear",
    ]
    values += [
        str(canary),
        f"{canary}/",
        f"file://{canary}/secret.py",
        "evil/kernel",
        "secret",
        "../canary",
        "https://hub.invalid/x",
    ]
    values += [
        "<script>alert(1)</script>\n\x1b[31m",
        "x" * 5000,
        r"(a+)+$",
        r".*(q|v)_proj",
        "((.*)*)*!",
        "q_proj",
        "\x00",
    ]
    values += [
        [],
        {},
        [1],
        ["q_proj"],
        [[0, 10**9]],
        {"q_proj": 10**9},
        {"(a|a)*b": 3},
        {"one": str(canary)},
        [None],
        deep,
    ]
    return chance.choice(values)


def change_config(chance: random.Random, folder: Path, canary: Path) -> None:
    path = folder / CONFIG
    values = json.loads(path.read_text())
    for _ in range(chance.choice((1, 1, 2, 4))):
        name = chance.choice(sorted(values) if chance.random() < 0.7 else FIELDS)
        if chance.random() < 0.15:
            values.pop(name, None)
        else:
            values[name] = hostile(chance, canary)
    if chance.random() < 0.1:
        values["peft_type"] = chance.choice(sorted(peft.PeftType.__members__))
    path.write_text(json.dumps(values))


def break_json(chance: random.Random, folder: Path, canary: Path) -> None:
    path = folder / chance.choice((CONFIG, "base_model.json", "training.json"))
    whole = path.read_text() if path.exists() else json.dumps({"name": "x/y", "revision": "z", "training_samples": 3})
    texts = [
        whole[: chance.randrange(len(whole))],
        "[1]",
        "null",
        "7",
        json.dumps(hostile(chance, canary)),
        "\x80\xff",
        whole * 2,
    ]
    path.write_bytes(chance.choice(texts).encode("latin-1", "ignore"))


def break_weights(chance: random.Random, folder: Path, canary: Path) -> None:
    path = folder / WEIGHTS
    content = bytearray(path.read_bytes())
    if chance.random() < 0.5:
        return path.write_bytes(bytes(content[: chance.randrange(len(content))])) and None
    for _ in range(chance.choice((1, 3, 30))):
        content[chance.randrange(min(len(content), 400))] = chance.randrange(256)
    path.write_bytes(bytes(content))
    return None


def change_weights(chance: random.Random, folder: Path, canary: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    name = chance.choice(sorted(weights))
    weight = weights[name]
    changed = [
        weight[:-1],
        weight[None],
        weight.to(torch.float16),
        weight.float() * float("nan"),
        weight.float() * 1e30,
        torch.zeros(0),
    ]
    match chance.randrange(4):
        case 0:
            del weights[name]
        case 1:
            weights[name] = chance.choice(changed).contiguous()
        case 2:
            weights[
                chance.choice(
                    ("base_model.model.lm_head.weight", f"../{name}", "x", name.replace("layers.0", "layers.9"))
                )
            ] = weight + 1
        case 3:
            weights[name.replace("weight", "waste")] = weights.pop(name)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def outcome(base: Path, adapter: Path, any_base: bool):
    """The answer of the adapter, and its score; or the one line that refuses it."""
    try:
        identity = base_identity(str(base))
        adapter_identity(str(adapter))
        training_samples(str(adapter))
        base_doubt(identity, str(adapter), any_base=any_base)
        model = load(base, adapter, any_base=any_base)
        return answer(model), p_yes(model, [[5, 6, 7], [8, 9]], Answers(no=3, yes=4))
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("seed", range(CASES))
def test_a_damaged_or_foreign_adapter_scores_as_peft_alone_or_is_refused_in_one_line(made, tmp_path, watched, seed):
    chance = random.Random(seed)
    changes = [change_config, change_config, break_json, break_weights, change_weights]
    sources = [path for path in sorted(made.iterdir()) if path.name not in ("base", "canary")]
    for case in range(CASES):
        folder = Path(shutil.copytree(chance.choice(sources), tmp_path / str(case)))
        for change in chance.sample(changes, chance.choice((1, 1, 2))):
            with_file = (folder / WEIGHTS).stat().st_size > 0
            try:
                change(chance, folder, made / "canary")
            except Exception:  # what is broken already cannot be changed further
                assert with_file
        got = outcome(made / "base", folder, any_base=chance.random() < 0.5)
        if isinstance(got, str):
            assert got.isprintable(), f"{seed}/{case}: not one plain line: {got!r}"
            assert len(got) < 1500
        else:
            expected = by_peft_alone(made / "base", folder)
            assert torch.equal(got[0], expected), f"{seed}/{case}"
            assert np.isfinite(got[1]).all()


def test_whole_adapters_score_and_none_of_the_kinds_that_are_not_scored_does(made, watched):
    """The fuzz would prove nothing if all were refused."""
    for kind in SCORED:
        got, _ = outcome(made / "base", made / kind, any_base=False)
        assert not torch.equal(got, answer(deepcopy(base_at(made / "base"))))
    assert not set(SCORED) & set(NOT_SCORED)
