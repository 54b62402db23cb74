"""What pins a result is compared, and nothing else: new options at their defaults, other places and moved data sets change nothing."""

import json
import shutil
from dataclasses import dataclass, make_dataclass, replace
from pathlib import Path

import pytest
import yaml

from rella_hub.cli.options import option, pinning, pinning_defaults
from rella_hub.systems.ctr import train as ctr_train
from rella_hub.systems.ctr.options import Options
from rella_hub.tables import records


@dataclass(frozen=True)
class Older:
    width: int = option("Width.", 8)
    output: str = option("Where it goes.", "here", pins=False)


Newer = make_dataclass("Newer", [("depth", int, option("Depth.", 2))], bases=(Older,), frozen=True)


def test_a_new_option_at_its_default_changes_no_fingerprint_and_leaves_records_current(tmp_path):
    older, newer = pinning(Older()), pinning(Newer())
    assert (older, newer) == ({"width": 8}, {"width": 8, "depth": 2})
    defaults = pinning_defaults(Newer)
    assert records.fingerprint(older, pinning_defaults(Older)) == records.fingerprint(newer, defaults)
    assert records.fingerprint(newer, defaults) != records.fingerprint(pinning(Newer(depth=3)), defaults)
    assert records.is_current(tmp_path, older, newer, overwrite=False, defaults=defaults)
    with pytest.raises(ValueError, match="its depth is 2, asked for is 3"):
        records.is_current(tmp_path, older, pinning(Newer(depth=3)), overwrite=False, defaults=defaults)


def test_a_changed_default_does_not_pass_as_current(tmp_path):
    changed = make_dataclass("Changed", [("width", int, option("Width.", 16))], bases=(Older,), frozen=True)
    with pytest.raises(ValueError, match="its width is 8, asked for is 16"):
        records.is_current(
            tmp_path, pinning(Older()), pinning(changed()), overwrite=False, defaults=pinning_defaults(changed)
        )


@pytest.fixture(scope="module")
def options(ctr_release, tmp_path_factory) -> Options:
    folder = tmp_path_factory.mktemp("pins")
    shutil.copytree(ctr_release.folder / "rella", folder / "rella")
    one = Options(
        model="din",
        dataset=str(folder / "rella/ml1m"),
        output_dir=str(folder / "din"),
        model_options='{"embedding_size": 4}',
        history_length=3,
        batch_size=16,
        num_train_epochs=1,
    )
    ctr_train.train(one)
    return one


def test_a_run_is_kept_when_a_later_version_has_one_more_option(options, monkeypatch, capsys):
    later = make_dataclass("Options", [("temperature", float, option("New.", 1.0))], bases=(Options,), frozen=True)
    monkeypatch.setattr(ctr_train, "Options", later)
    ctr_train.train(later(**vars(options)))
    assert "unchanged inputs, kept." in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"its recipe\.temperature is 1\.0, asked for is 2\.0"):
        ctr_train.train(later(**vars(options), temperature=2.0))


def test_a_run_is_kept_when_its_data_set_was_moved_and_refused_when_it_is_another(options, tmp_path, capsys):
    shutil.copytree(options.dataset, tmp_path / "moved")
    ctr_train.train(replace(options, dataset=str(tmp_path / "moved")))
    assert "unchanged inputs, kept." in capsys.readouterr().out
    assert yaml.safe_load((Path(options.output_dir) / "recipe.yaml").read_text())["dataset"] == options.dataset
    record = json.loads((Path(options.output_dir) / "training.json").read_text())
    assert str(options.dataset) not in json.dumps(record), "a record names no place"


def test_a_run_of_an_earlier_version_whose_record_names_the_data_set_is_kept(options, tmp_path, capsys):
    run = shutil.copytree(options.output_dir, tmp_path / "run")
    record = json.loads((run / "training.json").read_text())
    record["recipe"] |= {"dataset": "rella/ml1m", "dataset_revision": None}
    (run / "training.json").write_text(json.dumps(record))
    ctr_train.train(replace(options, output_dir=str(run)))
    assert "unchanged inputs, kept." in capsys.readouterr().out
