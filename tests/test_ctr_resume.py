"""An interrupted training of a CTR model goes on to the very weights that it would have had; what is not its beginning is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from builders import write_vectors
from safetensors.torch import load_file, save_file

from rella_hub.metrics import measure
from rella_hub.stages.arguments import ViewArguments
from rella_hub.stages.view import build_views
from rella_hub.systems.ctr.options import Options
from rella_hub.systems.ctr.train import train


@pytest.fixture
def options(prepared, tmp_path) -> Options:
    write_vectors(prepared)
    build_views(prepared, ViewArguments(view=["subr"], history_length=[3]))
    return Options(
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


def stopped(options: Options, after: int) -> None:
    """Train, and press Ctrl-C while epoch `after` + 1 is validated."""
    calls = []

    def impatient(labels, scores):
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return measure(labels, scores)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("rella_hub.systems.ctr.loop.measure", impatient)
        with pytest.raises(KeyboardInterrupt):
            train(options)


def test_an_interrupted_run_ends_with_the_same_weights_and_log(options, tmp_path, capsys):
    whole = replace(options, output_dir=str(tmp_path / "whole"))
    train(whole)
    for after in (1, 2):  # twice: what goes on from a checkpoint leaves one that can be gone on from
        stopped(options, 1)
        assert sorted(path.name for path in Path(options.output_dir).iterdir()) == [".rella.json", "checkpoint"]
        progress = json.loads((Path(options.output_dir) / "checkpoint/progress.json").read_text())
        assert progress["progress"]["epoch"] == after
    capsys.readouterr()
    train(options)
    said = capsys.readouterr().out
    assert f"resumed from {Path(options.output_dir) / 'checkpoint'}, after epoch 2" in said
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
        train(other)
    anew = replace(other, output_dir=str(tmp_path / "anew"))
    train(anew)
    train(replace(other, overwrite=True))
    assert weights(options.output_dir) == weights(anew.output_dir), "nothing of the other run's checkpoint is left"


def test_a_damaged_checkpoint_says_what_to_do(options):
    stopped(options, 1)
    state = Path(options.output_dir) / "checkpoint/state.safetensors"
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"is a damaged checkpoint .* Remove it and train from the start"):
        train(options)


@pytest.mark.parametrize("progress", ["[]", '{"epoch": 1, "step": 3}', "null"])
def test_a_damaged_progress_says_what_to_do(options, progress):
    stopped(options, 1)
    path = Path(options.output_dir) / "checkpoint/progress.json"
    made_from = json.loads(path.read_text())["made_from"]
    path.write_text(json.dumps({"made_from": made_from, "progress": json.loads(progress)}))
    with pytest.raises(ValueError, match=r"is a damaged checkpoint .* Remove it and train from the start"):
        train(options)


def test_an_optimizer_with_the_parameters_in_another_order_is_refused(options):
    """As one of a version that wrote a model's file otherwise: by number they would be taken for one another."""
    stopped(options, 1)
    path = Path(options.output_dir) / "checkpoint/state.safetensors"
    tensors = load_file(path)
    swapped = {"optimizer.0": "optimizer.1", "optimizer.1": "optimizer.0"}
    save_file(
        {f"{swapped.get(key.split('/')[0], key.split('/')[0])}/{key.split('/')[1]}": t for key, t in tensors.items()},
        path,
    )
    with pytest.raises(
        ValueError, match=r"of another model \(its optimizer has the parameters in another order\)\. Remove"
    ):
        train(options)


def test_without_its_record_a_checkpoint_is_not_gone_on_from(options, capsys):
    stopped(options, 1)
    (Path(options.output_dir) / "checkpoint/progress.json").unlink()
    train(options)
    assert "resumed" not in capsys.readouterr().out
