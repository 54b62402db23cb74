"""An interrupted training of a CTR model goes on to the very weights that it would have had; what is not its beginning is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from test_views import write_vectors

from rella_hub.reports.measure import measure
from rella_hub.stages.arguments import ViewArguments
from rella_hub.stages.view import build_views
from rella_hub.systems.ctr.options import FittingArguments
from rella_hub.systems.ctr.train import train


@pytest.fixture
def options(prepared, tmp_path) -> FittingArguments:
    write_vectors(prepared)
    build_views(prepared, ViewArguments(view=["subr"], history_length=[3]))
    return FittingArguments(
        model="sim",
        dataset=str(prepared.folder),
        output_dir=str(tmp_path / "run"),
        model_options='{"embedding_size": 4, "dropout": 0.3}',
        history_length=3,
        retrieved=3,
        batch_size=16,
        num_train_epochs=4,
        early_stopping_patience=4,
        seed=3,
    )


def weights(folder) -> bytes:
    return (Path(folder) / "model/model.safetensors").read_bytes()


def stopped(options: FittingArguments, after: int) -> None:
    """Train, and press Ctrl-C while epoch `after` + 1 is validated."""
    calls = []

    def impatient(labels, scores):
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return measure(labels, scores)

    with pytest.raises(KeyboardInterrupt):
        train(options, impatient)


def test_an_interrupted_run_ends_with_the_same_weights_and_log(options, tmp_path, capsys):
    whole = replace(options, output_dir=str(tmp_path / "whole"))
    train(whole, measure)
    for after in (1, 2):  # twice: what goes on from a checkpoint leaves one that can be gone on from
        stopped(options, 1)
        assert sorted(path.name for path in Path(options.output_dir).iterdir()) == [".rella.json", "checkpoint"]
        progress = json.loads((Path(options.output_dir) / "checkpoint/progress.json").read_text())
        assert progress["progress"]["epoch"] == after
    capsys.readouterr()
    train(options, measure)
    said = capsys.readouterr().out
    assert "after epoch 2" in said
    assert "epoch 2:" not in said, "no epoch is trained twice"
    assert weights(options.output_dir) == weights(whole.output_dir)
    logs = [json.loads((Path(one.output_dir) / "training.json").read_text())["log"] for one in (options, whole)]
    assert logs[0] == logs[1]
    assert len(logs[0]) == 4
    assert not (Path(options.output_dir) / "checkpoint").exists()


def test_the_beginning_of_another_run_is_refused_unless_overwritten(options, tmp_path):
    stopped(options, 1)
    other = replace(options, seed=4)
    with pytest.raises(
        ValueError, match=r"made from other inputs: its recipe.seed is 3, asked for is 4. Pass --overwrite true"
    ):
        train(other, measure)
    anew = replace(other, output_dir=str(tmp_path / "anew"))
    train(anew, measure)
    train(replace(other, overwrite=True), measure)
    assert weights(options.output_dir) == weights(anew.output_dir), "nothing of the other run's checkpoint is left"


def test_a_damaged_checkpoint_says_what_to_do(options):
    stopped(options, 1)
    state = Path(options.output_dir) / "checkpoint/state.safetensors"
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"is a damaged checkpoint .* Remove it and train from the start"):
        train(options, measure)


def test_without_its_record_a_checkpoint_is_not_gone_on_from(options, capsys):
    stopped(options, 1)
    (Path(options.output_dir) / "checkpoint/progress.json").unlink()
    train(options, measure)
    assert "going on" not in capsys.readouterr().out
