"""Reports to make a page of, one with names that want to act."""

import json
from pathlib import Path

from builders import some_scores

from rella_hub.reports.machine_readable import as_dictionary
from rella_hub.reports.page.write import make_page
from rella_hub.reports.rows import compare

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


WEIGHTS = "a" * 64
BASE = "lmsys/vicuna-7b-v1.5"
ON = {"corpus": "ml1m", "base": BASE, "base_identity": {"name": BASE, "revision": "c" * 40}}


ADAPTER = {"adapter": "someone/rella", "adapter_identity": {"name": "someone/rella", "sha256": WEIGHTS}}


def results(*systems: tuple[str, dict], seed: int = 0) -> dict:
    files = [some_scores(name, seed=seed + n, system=name, **ON, **record) for n, (name, record) in enumerate(systems)]
    return as_dictionary(compare(files, resamples=40, seed=0), 40, 0)


def write_reports(folder: Path) -> Path:
    """Two reports with the same zero-shot row, and one whose names want to act."""
    zero_shot = ("zero_shot", {})
    one = results(zero_shot, ("rella", ADAPTER | {"training_samples": 8192}))
    other = results(zero_shot, ("evil", {}))
    for row in other["rows"]:
        if row["name"] == "evil":
            row["name"] = row["system"] = row["base"] = row["record"]["system"] = EVIL
            row["record"]["dataset"] = EVIL
    other["notes"].append({"corpus": "ml1m", "split": "test", "config_name": "subr_k30", "note": EVIL})
    for name, found in (("one", one), ("other", other)):
        (folder / name).mkdir()
        (folder / name / "results.json").write_text(json.dumps(found))
    return folder


def text_of(folder: Path) -> str:
    made = make_page([str(folder / "one"), str(folder / "other/results.json")], ["overall"], "Results")
    return made.files["index.html"]
