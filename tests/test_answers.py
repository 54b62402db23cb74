"""The trainer of answers: its loss by hand, its gradient against TRL's own SFTTrainer, its order of the samples, its curve."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig
from tokenizers import Tokenizer, models
from torch.nn.functional import log_softmax
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

from rella_hub.language_models.answer_rows import tokenized_rows
from rella_hub.language_models.answers import AnswerTrainer, LikeLengthSampler, collate

GOLDEN = Path(__file__).parent / "golden" / "smoke_losses.json"
VOCABULARY, NO, YES, END = 50, 7, 8, 1
COMPLETIONS = ([NO, 3, END], [YES, END])  # of two lengths, so that a mean of means would show
ROWS = 8


@pytest.fixture(scope="module")
def tokenizer():
    vocabulary = {f"t{i}": i for i in range(VOCABULARY)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token="t0")), eos_token="t1", pad_token="t2"
    )


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    rng = np.random.default_rng(0)
    return [rng.integers(3, VOCABULARY, length).tolist() for length in (5, 17, 3, 9, 9, 30, 12, 4)]


LABELS = [0, 1, 1, 0, 1, 1, 1, 0]


@pytest.fixture(scope="module")
def rows(prompts):
    return tokenized_rows(prompts, [COMPLETIONS[label] for label in LABELS])


def tiny_llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            initializer_range=0.3,
            bos_token_id=None,
            eos_token_id=END,
            pad_token_id=2,
        )
    )


def trainer_of(kind, folder: Path, rows, tokenizer, lora: bool = False, score=None, measure=None, **options):
    """A trainer with plain gradient descent, no dropout and no clipping, unless `options` say otherwise."""
    plain = {"optim": "sgd", "learning_rate": 1.0, "lr_scheduler_type": "constant", "max_grad_norm": 0.0}
    plain |= {"num_train_epochs": 1, "per_device_train_batch_size": 2}
    plain |= {"gradient_accumulation_steps": ROWS // 2}  # one step takes every row, whatever the order
    plain |= {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False}
    plain |= {"max_length": None, "dataset_kwargs": {"skip_prepare_dataset": True}, "disable_tqdm": True}
    ours = issubclass(kind, AnswerTrainer)
    if ours:
        plain["remove_unused_columns"] = False
    plain |= {"use_cpu": True, "bf16": False, "activation_checkpointing": False, "logging_steps": 1}
    config = SFTConfig(output_dir=str(folder), **plain | options)
    adapter = LoraConfig(
        r=4, lora_alpha=8, lora_dropout=0.0, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"
    )
    return kind(
        model=tiny_llama(),
        args=config,
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=adapter if lora else None,
        **({"yes": YES, "score": score, "measure": measure} if ours else {}),
    )


def loss_by_hand(model, prompts, labels) -> tuple[float, int]:
    """Sum over the answers' tokens of their negative log-probability, each row alone with all its logits, and their number."""
    total, count = 0.0, 0
    for prompt, label in zip(prompts, labels, strict=True):
        ids = [*prompt, *COMPLETIONS[label]]
        with torch.no_grad():
            log_probabilities = log_softmax(model(torch.tensor([ids])).logits[0].double(), dim=1)
        for position in range(len(prompt), len(ids)):
            total -= log_probabilities[position - 1, ids[position]].item()
            count += 1
    return total, count


def test_labels_cover_the_completion_alone(rows, prompts):
    for row, prompt, label in zip(rows, prompts, LABELS, strict=True):
        assert row["input_ids"] == prompt + COMPLETIONS[label]
        assert row["labels"] == [-100] * len(prompt) + COMPLETIONS[label]


def test_prompts_without_completions_are_refused(prompts):
    with pytest.raises(ValueError, match="shorter"):
        tokenized_rows(prompts, [COMPLETIONS[0]])


def test_collate_pads_at_the_right():
    batch = collate([{"input_ids": [5, 6, 7], "labels": [-100, -100, 7]}, {"input_ids": [8, 9], "labels": [-100, 9]}])
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 9, 0]]
    assert batch["labels"].tolist() == [[-100, -100, 7], [-100, 9, -100]]


@pytest.mark.parametrize("chosen", [[0], [2, 5], list(range(ROWS))], ids=["one", "two", "all"])
def test_loss_is_the_cross_entropy_of_the_answers_tokens(tmp_path, rows, prompts, tokenizer, chosen):
    trainer = trainer_of(AnswerTrainer, tmp_path, rows, tokenizer)
    total, count = loss_by_hand(trainer.model, [prompts[i] for i in chosen], [LABELS[i] for i in chosen])
    batch = collate([rows[i] for i in chosen])
    with torch.no_grad():
        assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(total / count, rel=1e-5)
        of_a_larger_step = trainer.compute_loss(trainer.model, batch, num_items_in_batch=torch.tensor(3 * count))
        assert of_a_larger_step.item() == pytest.approx(total / count / 3, rel=1e-5)


def test_nothing_of_the_prompt_bears_loss(tmp_path, rows, tokenizer):
    """Other labels on a prompt would change the loss; another prompt token behind the answer would not be seen."""
    trainer = trainer_of(AnswerTrainer, tmp_path, rows, tokenizer)
    batch = collate([rows[i] for i in range(ROWS)])
    with torch.no_grad():
        before = trainer.compute_loss(trainer.model, batch).item()
        padding = torch.arange(batch["input_ids"].shape[1]) >= torch.tensor([[len(r["input_ids"])] for r in rows])
        batch["input_ids"][padding] = 33
        assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(before, rel=1e-6)
        batch["labels"][0, 1] = 33
        assert trainer.compute_loss(trainer.model, batch).item() != pytest.approx(before, rel=1e-3)


def step_of(trainer) -> tuple[dict, list[float]]:
    """What plain descent at rate 1 changed in each trained weight, which is minus its gradient, and the losses logged."""
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters() if p.requires_grad}
    trainer.train()
    after = dict(trainer.model.named_parameters())
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return {name: (after[name].detach() - value) for name, value in before.items()}, losses


@pytest.mark.parametrize("lora", [False, True], ids=["all weights", "LoRA"])
def test_the_gradient_of_a_step_is_that_of_sft_trainer(tmp_path, rows, tokenizer, lora):
    ours, losses = step_of(trainer_of(AnswerTrainer, tmp_path / "a", rows, tokenizer, lora=lora))
    theirs, their_losses = step_of(trainer_of(SFTTrainer, tmp_path / "b", rows, tokenizer, lora=lora))
    assert ours.keys() == theirs.keys()
    assert losses == pytest.approx(their_losses, rel=1e-5)
    assert max(change.abs().max() for change in ours.values()) > 1e-2
    for name in ours:
        assert torch.allclose(ours[name], theirs[name], atol=1e-5), name


def test_the_steps_of_several_epochs_are_those_of_sft_trainer(tmp_path, rows, tokenizer):
    """With AdamW, the schedule and clipping of the recipes; every epoch is one step of the same samples."""
    recipe = {"optim": "adamw_torch", "learning_rate": 1e-2, "lr_scheduler_type": "linear", "max_grad_norm": 1.0}
    curves = []
    for kind in (AnswerTrainer, SFTTrainer):
        folder = tmp_path / kind.__name__
        curves.append(step_of(trainer_of(kind, folder, rows, tokenizer, lora=True, num_train_epochs=6, **recipe)))
    (ours, losses), (theirs, their_losses) = curves
    assert len(losses) == 6
    assert losses[-1] < losses[0] - 0.1
    assert losses == pytest.approx(their_losses, rel=1e-4)
    for name in ours:
        assert torch.allclose(ours[name], theirs[name], atol=1e-4), name


def test_validation_scores_the_prompts_without_their_answers(tmp_path, rows, prompts, tokenizer):
    seen = {}

    def score(model, given):
        seen["model"], seen["prompts"] = model, given
        return np.linspace(0, 1, len(given))

    def measure(labels, scores):
        seen["labels"], seen["scores"] = labels.tolist(), scores.tolist()
        return {"auc": 0.75}

    trainer = trainer_of(AnswerTrainer, tmp_path, rows, tokenizer, score=score, measure=measure)
    assert trainer.evaluate(rows)["eval_auc"] == 0.75
    assert [list(prompt) for prompt in seen["prompts"]] == prompts
    assert seen["labels"] == LABELS
    assert seen["scores"] == np.linspace(0, 1, ROWS).tolist()
    assert seen["model"] is trainer.model
    assert trainer.state.log_history[-1]["eval_auc"] == 0.75


lengths_of = st.lists(st.integers(1, 500), min_size=1, max_size=120).map(np.array)


@given(lengths=lengths_of, step=st.integers(1, 40), seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_every_epoch_is_a_permutation_sorted_inside_each_step(lengths, step, seed, epoch):
    sampler = LikeLengthSampler(lengths, step, seed)
    sampler.set_epoch(epoch)
    order = list(sampler)
    assert len(sampler) == len(order)
    assert sorted(order) == list(range(len(lengths)))
    for begin in range(0, len(order), step):
        inside = lengths[order[begin : begin + step]].tolist()
        assert inside == sorted(inside, reverse=True)


@given(lengths=lengths_of, step=st.integers(1, 40), seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_lengths_do_not_choose_the_samples_of_a_step(lengths, step, seed, epoch):
    """Batches of one length would be biased; here the sort moves samples inside a step, never between steps."""

    def steps(lengths):
        sampler = LikeLengthSampler(lengths, step, seed)
        sampler.set_epoch(epoch)
        order = list(sampler)
        return [set(order[begin : begin + step]) for begin in range(0, len(order), step)]

    assert steps(lengths) == steps(np.ones_like(lengths)) == steps(lengths[::-1])


def test_epochs_and_seeds_give_other_orders():
    lengths = np.ones(50, dtype=int)

    def order(seed, epoch):
        sampler = LikeLengthSampler(lengths, 8, seed)
        sampler.set_epoch(epoch)
        return tuple(sampler)

    assert order(0, 1) == order(0, 1)
    assert len({order(seed, epoch) for seed in range(3) for epoch in range(3)}) == 9
    assert tuple(LikeLengthSampler(lengths, 8, 0)) == order(0, 0)


def test_training_takes_the_samplers_steps_epoch_by_epoch(tmp_path, tokenizer):
    """What reaches the loss, seen from inside the trainer: the samples of each step, its longest in its first micro-batch."""
    seen = []

    class Watched(AnswerTrainer):
        def compute_loss(self, model, inputs, **options):
            seen.extend(next(token for token in labels if token >= 10) - 10 for labels in inputs["labels"].tolist())
            return super().compute_loss(model, inputs, **options)

    lengths = [7, 3, 9, 5, 2, 8, 4, 6]
    tagged = tokenized_rows([[9] * length for length in lengths], [[10 + row, END] for row in range(ROWS)])
    trainer_of(Watched, tmp_path, tagged, tokenizer, gradient_accumulation_steps=2, num_train_epochs=2, seed=3).train()
    expected = []
    for epoch in range(2):
        order = np.random.default_rng([3, epoch]).permutation(ROWS).tolist()
        for step in (order[:4], order[4:]):
            expected += sorted(step, key=lambda row: -lengths[row])
    assert seen == expected


def test_golden_losses_of_the_smoke_run(smoke):
    """The first twenty steps of the real command line. Delete the file to have it written anew, and say why in the commit."""
    losses = [entry["loss"] for entry in smoke.training["log"] if "loss" in entry][:20]
    assert len(losses) == 20
    if not GOLDEN.exists():
        GOLDEN.write_text(json.dumps([round(loss, 6) for loss in losses], indent=2) + "\n", encoding="utf-8")
        pytest.fail(f"{GOLDEN.name} was written anew: read it and run again")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert losses == pytest.approx(golden, abs=3e-4)
    assert golden[0] - golden[-1] > 0.05, "a curve that does not fall would agree with no training at all"
