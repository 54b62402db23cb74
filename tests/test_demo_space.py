"""The demo: what it shows and answers is what views, prompts and scores of the data set are, to the last digit."""

import contextlib
import re
import runpy
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from browser import open_browser
from hub_server import HubServer
from huggingface_hub import constants

from rella_hub.corpora import load_corpus
from rella_hub.demo.answer import DIGITS, Demo, open_demo
from rella_hub.demo.case import LONGEST_TEXT, as_text, sample_case, typed_case
from rella_hub.demo.options import DemoOptions
from rella_hub.demo.shown import VIEWS, positions, prompt, similarities
from rella_hub.systems import choice
from rella_hub.systems.model_free import MODEL_FREE
from rella_hub.tables import store
from rella_hub.tables.scores import read_scores
from rella_hub.views import POINTWISE, Config

REPOSITORY = Path(__file__).parents[1]
DATA, BASE, ADAPTER, SIM = "runs/smoke/data", "runs/smoke/base", "runs/smoke/rella/adapter", "runs/smoke/sim"
SMALL = ("--history_length", 3, "--retrieved", 5, "--num_train_epochs", 1, "--model_options", '{"embedding_size": 8}')


@pytest.fixture(scope="module")
def here(smoke, command):
    with contextlib.chdir(smoke.folder):
        assert command("training/ctr.py", "--model", "sim", "--dataset", DATA, "--output_dir", SIM, *SMALL) == 0
        yield


@pytest.fixture(scope="module")
def demo(here) -> Demo:
    options = DemoOptions(DATA, adapters=[ADAPTER], models=[SIM], examples=3)
    return open_demo(options, choice.base_options()(base=BASE))


def samples(demo: Demo, count: int = 40):
    table = store.read(demo.catalogue.folder, "samples", "test", ["sample_id", "position"])
    for row in range(0, len(table), len(table) // count):
        yield table["sample_id"][row].as_py(), table["position"][row].as_py()


@pytest.mark.slow
@pytest.mark.parametrize("view", ["recency", "subr"])
def test_a_sample_shows_what_the_data_set_shows_in_the_same_words(demo, view):
    folder = demo.catalogue.folder
    stored = {row["sample_id"]: row["positions"] for row in store.read(folder, f"view_{view}_k5", "test").to_pylist()}
    prompts = {row["sample_id"]: row["prompt"] for row in store.read(folder, f"{view}_k5", "test").to_pylist()}
    for sample_id, position in samples(demo):
        case = sample_case(demo.catalogue, sample_id, position)
        shown = positions(demo.catalogue, case, Config(view, 5))
        assert shown.tolist() == stored[sample_id]
        assert prompt(demo.catalogue, case, shown, POINTWISE).text == prompts[sample_id]


@pytest.mark.slow
def test_similarities_are_cosines(demo):
    vectors = {row["item_id"]: row["vector"] for row in store.read(demo.catalogue.folder, "item_vectors").to_pylist()}
    ids = demo.catalogue.items["item_id"].to_list()
    case = demo.examples[0].case
    target = np.array(vectors[ids[case.target]])
    for item, found in zip(case.items, similarities(demo.catalogue, case), strict=True):
        other = np.array(vectors[ids[item]])
        assert found == pytest.approx(other @ target / np.linalg.norm(other) / np.linalg.norm(target), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_every_system_answers_as_evaluation_score_does(demo, command, tmp_path, seed):
    """One sample alone, so that both multiply the same matrices: then the numbers are equal to the last bit."""
    systems = {
        "zero_shot": ("--base", BASE),
        "rella": ("--base", BASE, "--adapter", ADAPTER),
        "sim": ("--model", SIM),
    }
    expected = {}
    for name, options in systems.items():
        path = tmp_path / f"{name}.parquet"
        where = ("--dataset", DATA, "--config_name", "subr_k5", "--limit", 1, "--seed", seed, "--output", path)
        assert command("evaluation/score.py", *options, *where) == 0
        scores = read_scores(path)
        expected[name] = scores.score[0]
    (sample_id,) = scores.sample_id.tolist()
    table = store.read(demo.catalogue.folder, "samples", "test", ["sample_id", "position"])
    position = table["position"][table["sample_id"].to_pylist().index(sample_id)].as_py()
    case, config = sample_case(demo.catalogue, sample_id, position), Config("subr", 5)
    shown = positions(demo.catalogue, case, config)
    found = demo.systems.scores(case, config, shown, prompt(demo.catalogue, case, shown, POINTWISE))
    by_name = {one.system: one.p_yes for one in found}
    for name, scorer in MODEL_FREE.items():
        (expected[name],) = scorer(demo.catalogue.folder, "subr_k5", "test", np.array([sample_id]))[1]
    assert by_name == expected


@pytest.mark.slow
def test_what_is_typed_is_the_example_and_shows_all_views(demo):
    example = demo.examples[0]
    history, target = as_text(demo.catalogue, example.case), demo.catalogue.titles[example.case.target]
    answer = demo.answer(example.case.user, history, target, "subr", 5)
    assert list(answer.views) == list(VIEWS)
    assert [row[0] for row in answer.scores] == ["zero_shot", "rella", "sim", "history_mean", "item_mean", "both_means"]
    assert all(re.fullmatch(rf"[01]\.\d{{{DIGITS}}}", row[2]) for row in answer.scores)
    shares = [float(row[2].rstrip("%")) for row in answer.views["subr"]]
    assert len(shares) == 5
    assert 0 < sum(shares) < 100
    assert {row[2] for row in answer.views["recency"]} == {""}
    assert answer.prompt.count(" star") >= 5
    assert "the rest of the prompt gets" in answer.said
    again = demo.answer(example.case.user, history, target, "subr", 7)
    assert len(again.views["subr"]) == 7
    assert again.scores[-1][2] == "the data set has no view_subr_k7 to fit it on"


@pytest.mark.slow
def test_a_typed_history_has_no_times_and_the_same_answers_from_language_models(demo):
    example = demo.examples[0]
    typed = typed_case(
        demo.catalogue,
        example.case.user,
        as_text(demo.catalogue, example.case),
        demo.catalogue.titles[example.case.target],
    )
    assert typed == replace(example.case, times=None)


TARGET = "Lunar Rocket"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"history": ""}, "The history is empty"),
        ({"history": " \n\n"}, "The history is empty"),
        ({"history": None}, "The history is empty"),
        ({"history": "x" * 10_000}, f"has 10,000 characters; at most {LONGEST_TEXT:,}"),
        ({"history": f"{TARGET} (5 stars)\n" * 300}, "300 lines; at most 200"),
        ({"history": "Lunar Roket (5 stars)"}, "Did you mean Lunar Rocket?"),
        ({"history": "<img src=x onerror=alert(1)> (5 stars)"}, "There is no movie '<img src=x onerror=alert(1)>'"),
        ({"history": "Lunar Rocket"}, "Line 1 of the history is 'Lunar Rocket'; expected a title and its stars"),
        ({"history": "Lunar Rocket (9 stars)"}, "has 9 stars; this corpus knows 1, 2, 3, 4, 5"),
        ({"history": "Lunar Rocket (1e9 stars)"}, "expected a title and its stars"),
        ({"target": ""}, "There is no target"),
        ({"target": "\x1b[31m"}, r"There is no movie '\\x1b[31m'"),
        ({"user": -1}, "There is no such person"),
        ({"view": "reit"}, "There is no view 'reit' here"),
        ({"history_length": 0}, "K is 0; a whole number from 1 to 60"),
        ({"history_length": 5.5}, "K is 5.5; a whole number"),
        ({"history_length": float("nan")}, "K is nan"),
    ],
)
def test_bad_input_is_a_sentence(demo, changes, says):
    asked = {
        "user": 0,
        "history": f"{TARGET} (5 stars)",
        "target": TARGET,
        "view": "subr",
        "history_length": 5,
    } | changes
    answer = demo.answer(**asked)
    assert says in answer.said
    assert "\n" not in answer.said
    assert (answer.scores, answer.prompt) == ([], "")


@pytest.mark.slow
def test_one_behavior_is_a_history(demo):
    answer = demo.answer(0, f"{TARGET} (1 star)", TARGET, "union", 5)
    assert [len(rows) for rows in answer.views.values()] == [1, 1, 1]
    assert len(answer.scores) == 6


@pytest.mark.slow
def test_titles_are_found_by_their_words(demo):
    found = demo.catalogue.search("rocket lun")
    assert found == ["Lunar Rocket"]
    assert demo.catalogue.search("lunar")[0].startswith("Lunar")
    assert demo.catalogue.search("no such title") == []
    assert all(demo.catalogue.titles[demo.catalogue.item(title)] == title for title in demo.catalogue.titles)


@pytest.mark.slow
def test_titles_of_several_items_are_told_apart(demo):
    items = demo.catalogue.items.clone()
    items[1, "title"] = items[0, "title"]
    twins = replace(demo.catalogue, items=items)
    assert twins.titles[0] != twins.titles[1]
    assert twins.item(twins.titles[1]) == 1


def test_what_is_missing_is_said_before_anything_is_loaded(here):
    base = choice.base_options()
    with pytest.raises(ValueError, match="There is no system to ask"):
        open_demo(DemoOptions(DATA), base())
    with pytest.raises(ValueError, match="need their base model"):
        open_demo(DemoOptions(DATA, adapters=[ADAPTER]), base())
    with pytest.raises(ValueError, match="numbers from 1"):
        DemoOptions(DATA, history_length=0)


def test_the_requirements_are_those_of_the_project():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["demo"]]
    assert (REPOSITORY / "spaces/demo/requirements.txt").read_text().splitlines() == wanted
    front = yaml.safe_load((REPOSITORY / "spaces/demo/README.md").read_text().split("---\n")[1])
    assert (front["sdk"], front["app_file"]) == ("gradio", "app.py")


@pytest.fixture
def hub(monkeypatch):
    with HubServer() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", "write-token")
        yield hub


def test_the_space_holds_app_package_and_options_and_is_private_where_the_terms_ask(
    hub, here, command, capsys, monkeypatch
):
    given = (
        "model_cards/push_demo.py",
        "--space",
        "rella/demo-space",
        "--dataset",
        "rella/demo",
        "--base",
        "rella/base",
    )
    monkeypatch.setattr("rella_hub.hub.resolve.resolve", lambda *_: Path(DATA))  # it is in a folder here
    assert command(*given, "--models", "./runs/x") == 2
    assert "is no Hub id, owner/name" in capsys.readouterr().err
    restricted = replace(load_corpus("demo"), may_be_redistributed=False, terms="Not to be passed on.")
    with monkeypatch.context() as patch:
        patch.setattr("rella_hub.corpora.demo.CORPUS", restricted)
        assert command(*given, "--adapters", "rella/adapter") == 0
    assert "is pushed privately, because it shows titles and ratings" in capsys.readouterr().out
    repository = hub.repositories["space", "rella/demo-space"]
    files = repository.files("main")
    assert repository.private
    assert {"app.py", "README.md", "requirements.txt", "options.yaml", "rella_hub/demo/answer.py"} <= files.keys()
    assert yaml.safe_load(files["options.yaml"]) == {
        **{"dataset": "rella/demo", "base": "rella/base", "adapters": ["rella/adapter"]},
        **{"history_length": 5, "examples": 6},
    }


EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def served(demo):
    """The address of the app, in which a movie has a title that wants to act."""
    gradio = pytest.importorskip("gradio", reason="gradio is not installed: the extra demo")
    items = demo.catalogue.items.clone()
    items[0, "title"] = EVIL
    evil = Demo(replace(demo.catalogue, items=items), demo.systems, DemoOptions(DATA, examples=2))
    app = runpy.run_path(str(REPOSITORY / "spaces/demo/app.py"))
    blocks = app["page"](gradio, evil)
    blocks.queue(max_size=10, api_open=False)
    _, address, _ = blocks.launch(prevent_thread_lock=True, quiet=True, theme=app["theme"](gradio))
    yield evil, address
    blocks.close()


@pytest.fixture(scope="module")
def people(served):
    """Two people at once, each in a browser of their own; what happened there that must not."""
    with open_browser() as browser:
        pages, happened = [browser.new_page() for _ in range(2)], []
        for page in pages:
            page.set_default_timeout(60_000)
            page.on("dialog", lambda dialog: (happened.append(dialog.message), dialog.dismiss()))
            page.on("request", lambda request: happened.append(request.url) if "127.0.0.1" not in request.url else None)
            page.goto(served[1])
        yield pages, happened


def see(page, text: str) -> None:
    page.get_by_text(text, exact=True).locator("visible=true").first.wait_for()


@pytest.mark.slow
def test_people_click_examples_at_the_same_time_and_change_k(served, people):
    demo, _ = served
    pages, _ = people
    for page, example in zip(pages, demo.examples, strict=True):
        page.get_by_role("button", name=example.name).click()
    asked = {}
    for page, example in zip(pages, demo.examples, strict=True):
        case = example.case
        asked = (case.user, as_text(demo.catalogue, case), demo.catalogue.titles[case.target])
        for row in demo.answer(*asked, "subr", 5).scores:
            see(page, row[2])
    page.get_by_role("spinbutton").fill("7")
    page.get_by_role("button", name="Ask", exact=True).click()
    answer = demo.answer(*asked, "subr", 7)
    for row in answer.scores:
        see(page, row[2])
    assert page.get_by_label("Prompt").input_value() == answer.prompt


@pytest.mark.slow
def test_a_title_with_markup_and_nonsense_are_text(served, people):
    pages, happened = people
    page = pages[0]
    page.get_by_label("History, the oldest first, a line each").fill(f"{EVIL} (5 stars)")
    page.get_by_label("Target").fill(EVIL)
    page.get_by_role("button", name="Ask", exact=True).click()
    see(page, f"{EVIL} (5 stars)")
    page.get_by_label("Target").fill(f"<script>alert(2)</script>{EVIL}")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_function(
        "[...document.querySelectorAll('textarea, input')].some(one => one.value.startsWith('There is no movie'))"
    )
    assert page.locator("img[src=x]").count() == 0
    assert [one for one in happened if "gradio" not in one] == []
