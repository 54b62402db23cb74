"""The results page: every row of the reports and of the paper, escaped, on one scale, and nothing loaded from anywhere."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from hub_server import HubServer
from huggingface_hub import constants
from hypothesis import given
from hypothesis import strategies as st
from page_reports import ADAPTER, BASE, EVIL, WEIGHTS, results, text_of, write_reports

from rella_hub.paper.tables import read_table
from rella_hub.reports.page.entries import DIFFERENCE, Number, of_paper, of_reports
from rella_hub.reports.page.intervals import MARGIN, WIDTH, scale_of
from rella_hub.reports.page.sources import read_source, reported
from rella_hub.reports.page.write import make_page

REPOSITORY = Path(__file__).parents[1]


class Reader(HTMLParser):
    """What a browser would make of the page, as far as tests look at it."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.rows: list[list[str]] = []
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self._cell = tag in ("td", "th") or (self._cell and tag not in ("dl", "summary"))

    def handle_endtag(self, tag):
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self._cell:
            self.rows[-1][-1] += data

    def of(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_reports(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def page(folder) -> Reader:
    return Reader(text_of(folder))


def lines(reader: Reader) -> Iterator[list[str]]:
    for row in reader.rows[1:]:
        yield [" ".join(cell.split()) for cell in row]


def test_every_row_of_the_reports_is_there_once_with_its_numbers_and_interval(folder, page):
    heads = [" ".join(cell.split()) for cell in page.rows[0]]
    auc = heads.index("AUC ↑")
    ours = [row for row in lines(page) if "arXiv" not in row[0]]
    assert len([row for row in ours if row[0].startswith("zero_shot")]) == 1
    stored = json.loads((folder / "one/results.json").read_text())["rows"]
    for row in stored:
        (mine,) = [line for line in ours if line[0].split(" card")[0] == row["name"]]
        value = row["auc"]
        assert mine[auc] == f"{value['value']:.4f} {value['low']:.4f} to {value['high']:.4f}"
    (tuned,) = [line for line in ours if line[0].startswith("rella")]
    assert tuned[heads.index("N")] == "8,192"
    difference = next(row for row in stored if row["name"] == "rella")["auc_difference"]["value"]
    assert tuned[heads.index("AUC − reference ↑")].startswith(f"{difference:+.4f}")


def test_every_row_of_the_paper_on_these_corpora_stands_in_grey(page):
    printed = [row for row in read_table("overall").rows if row["corpus"] == "ml1m"]
    grey = [row for row in lines(page) if "arXiv 2308.11131" in row[0]]
    assert len(printed) == len(grey) == sum(one.get("class") == "paper" for one in page.of("tr"))
    for row, line in zip(printed, grey, strict=True):
        assert line[0].startswith(row["system"])
        assert f"{row['auc']:.4f}" in line
        assert f"{row['log_loss']:.4f}" in line
    assert sum(one.get("href") == "https://arxiv.org/abs/2308.11131" for one in page.of("a")) == len(printed)


def test_what_comes_out_of_files_does_nothing(page):
    assert len(page.of("script")) == 1
    assert not page.of("img")
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert any(EVIL in cell for row in page.rows for cell in row), "it stands there as text"


def test_nothing_is_loaded_and_only_the_pages_own_script_runs(folder, page):
    loads = {"src", "srcset", "data", "poster", "background", "action"}
    assert not [attributes for _, attributes in page.tags if loads & attributes.keys()]
    assert {"link", "iframe", "object", "embed", "base"}.isdisjoint(tag for tag, _ in page.tags)
    (policy,) = [one["content"] for one in page.of("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    text = text_of(folder)
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        inside = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not [attributes for _, attributes in page.tags if "style" in attributes], "the policy would refuse it"


def test_each_number_leads_to_its_command_and_each_system_to_its_card(folder, page):
    targets = {one["id"] for one in page.of("summary")}
    inside = [one["href"][1:] for one in page.of("a") if one["href"].startswith("#how")]
    assert set(inside) == targets
    assert "https://huggingface.co/someone/rella" in {one["href"] for one in page.of("a")}
    command = f"python evaluation/score.py --base {BASE} --adapter someone/rella --dataset rella/demo --config_name subr_k30 --split test"
    assert command in text_of(folder)


def test_tables_can_be_read_aloud(page):
    heads = [one for one in page.of("th") if one.get("scope") == "col"]
    assert len(heads) == len(page.rows[0])
    assert len([one for one in page.of("th") if one.get("scope") == "row"]) == len(page.rows) - 1
    assert all(one.get("aria-hidden") == "true" for one in page.of("svg")), "the text beside it says the same"
    assert page.of("caption")
    assert page.of("html") == [{"lang": "en"}]
    assert any(one.get("role") == "status" for one in page.of("output"))


finite = st.floats(-1, 1)


@given(st.lists(st.tuples(finite, finite, finite).map(sorted), min_size=1), finite)
def test_a_scale_keeps_order_and_stays_inside(numbers, mark):
    numbers = [Number(value, low, high) for low, value, high in numbers]
    scale = scale_of(numbers, mark)
    drawn = [scale.draw(number) for number in numbers]
    ends = sorted(
        (end, place)
        for number, one in zip(numbers, drawn, strict=True)
        for end, place in ((number.low, one.low), (number.value, one.value), (number.high, one.high))
    )
    assert all(MARGIN <= place <= WIDTH - MARGIN for _, place in ends)
    assert [place for _, place in ends] == sorted(place for _, place in ends)
    inside = scale.low <= mark <= scale.high
    assert (drawn[0].mark is not None) == inside


def test_a_place_is_the_share_of_the_scale():
    scale = scale_of([Number(0.5, 0.4, 0.8), Number(0.6)])
    assert scale.place(0.4) == MARGIN
    assert scale.place(0.8) == WIDTH - MARGIN
    assert scale.place(0.6) == WIDTH / 2


def test_n_is_sorted_from_none_to_the_whole_split():
    table = read_table("overall")
    shots = {entry.shots: entry.shots_in_order for entry in of_paper(table, ["ml1m"])}
    numbers = results(("zero_shot", {}), ("few", ADAPTER | {"training_samples": 512}))
    ours = {entry.shots: entry.shots_in_order for entry in of_reports(reported([as_source(numbers)]))}
    both = ours | shots
    assert sorted(both, key=both.get) == ["zero-shot", "512", "<1%", "<10%", "all"]


def as_source(found: dict):
    from rella_hub.reports.page.sources import Source

    return Source("results.json", found["rows"], found["notes"], 40)


@pytest.mark.parametrize("end", ["value", "low", "high"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.5, -2.0])
def test_a_number_that_the_metric_cannot_have_is_an_error(end, value):
    found = results(("zero_shot", {}), ("rella", ADAPTER))
    found["rows"][0]["auc"][end] = value
    with pytest.raises(
        ValueError, match=f"the {end} of auc of .* expected a number from 0 to 1. Make the report again"
    ):
        of_reports(reported([as_source(found)]))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "neither a results.json"),
        ("{", "is not JSON"),
        ("[]", "lacks rows, notes, resamples or seed"),
        ('{"rows": [], "notes": [], "resamples": 5, "seed": 0}', "hold no row"),
        (
            '{"rows": [{"name": "old"}], "notes": [], "resamples": 5, "seed": 0}',
            "one of version 0.2. Make the report again",
        ),
    ],
)
def test_old_and_broken_results_are_one_line(command, tmp_path, capsys, content, says):
    path = tmp_path / "results.json"
    if content is not None:
        path.write_text(content)
    assert command("evaluation/page.py", "--results", path, "--output", tmp_path / "page") == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "page/index.html").exists()


def test_options_without_what_they_need_are_refused(command, folder, tmp_path, capsys):
    assert command("evaluation/page.py", "--output", tmp_path) == 2
    assert "Give results with --results" in capsys.readouterr().err
    given = ("--results", folder / "one", "--output", tmp_path)
    assert command("evaluation/page.py", *given, "--private", "true") == 2
    assert "has no effect without --space" in capsys.readouterr().err
    assert command("evaluation/page.py", *given, "--paper_tables", "efficiency") == 2
    assert "has no systems with metrics on a corpus" in capsys.readouterr().err


def test_a_page_that_somebody_changed_is_kept(command, folder, tmp_path, capsys):
    given = ("evaluation/page.py", "--results", folder / "one", "--output", tmp_path / "page")
    assert command(*given) == 0
    assert command(*given) == 0
    (tmp_path / "page/index.html").write_text("mine")
    assert command(*given) == 2
    assert "was changed after it was written" in capsys.readouterr().err
    assert command(*given, "--overwrite", "true") == 0


def test_the_card_of_the_very_weights_that_were_scored_goes_with_the_page(tmp_path):
    run = tmp_path / "run/adapter"
    run.mkdir(parents=True)
    (run / "README.md").write_text(f"# A card\n{EVIL}\n")
    (run / "adapter_model.safetensors").write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    for known, expected in ((sha256, 1), (WEIGHTS, 0)):
        identity = {"adapter": str(run), "adapter_identity": {"name": "run", "sha256": known}}
        (tmp_path / "results.json").write_text(json.dumps(results(("zero_shot", {}), ("rella", identity))))
        files = make_page([str(tmp_path)], [], "Results").files
        cards = [name for name in files if name.startswith("cards/")]
        assert len(cards) == expected
        assert str(tmp_path) not in files["index.html"], "where things lie on this machine is nobody's business"
        for name in cards:
            assert "# A card" in files[name]
            assert not Reader(files[name]).of("script")
            assert f'href="{name}"' in files["index.html"]


@pytest.fixture
def hub(monkeypatch):
    with HubServer() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", "write-token")
        yield hub


def test_the_page_is_pushed_as_a_static_space(command, hub, folder, tmp_path, capsys):
    given = (
        "evaluation/page.py",
        "--output",
        tmp_path / "page",
        "--space",
        "rella/results",
        "--results",
        folder / "one",
    )
    assert command(*given, "--dry_run", "true") == 0
    assert ("space", "rella/results") not in hub.repositories
    assert command(*given) == 0
    files = hub.repositories["space", "rella/results"].files("main")
    assert files["index.html"] == (tmp_path / "page/index.html").read_bytes()
    front = yaml.safe_load(files["README.md"].decode().split("---\n")[1])
    assert (front["sdk"], front["app_file"], front["models"]) == ("static", "index.html", [BASE, "someone/rella"])
    capsys.readouterr()
    assert command(*given) == 0
    assert "nothing to change" in capsys.readouterr().out


@pytest.mark.slow
def test_results_are_pulled_by_id(hub, folder, tmp_path):
    hub.add_repository("model", "someone/rella", {"results.json": (folder / "one/results.json").read_bytes()})
    script = [sys.executable, str(REPOSITORY / "evaluation/page.py"), "--results", "someone/rella", "--output", "page"]
    environment = hub.environment(tmp_path / "home") | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(script, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    made = Reader((tmp_path / "page/index.html").read_text())
    assert len(list(lines(made))) == 2 + len([row for row in read_table("overall").rows if row["corpus"] == "ml1m"])


def test_a_model_that_was_pushed_without_results_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr("rella_hub.reports.page.sources.snapshot", lambda *_: tmp_path)
    with pytest.raises(ValueError, match=r"someone/bare on the Hub has no results.json: it was pushed without results"):
        read_source("someone/bare")


def test_a_source_says_what_it_was_asked_for(folder):
    assert read_source(str(folder / "one")).name == str(folder / "one")
    assert DIFFERENCE == "auc_difference"
