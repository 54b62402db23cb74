"""Rationales: what a prompt holds and never holds, the strict reading of three steps, and teachers that fail in every way."""

import json

import numpy as np
import pytest
from builders import build_leave_one_out
from endpoint_double import GOOD, chat, serving
from hypothesis import given
from hypothesis import strategies as st
from tiny_adapters import llama

from rella_hub.cards.dataset.card import write_card
from rella_hub.corpora import demo, load_corpus
from rella_hub.prompts import rationale
from rella_hub.prompts.rationale import steps
from rella_hub.stages import teachers
from rella_hub.stages.rationales import rationalize as stage
from rella_hub.stages.rationales.arguments import RationaleArguments, TeacherArguments
from rella_hub.stages.rationales.questions import asked
from rella_hub.stages.rationales.rationalize import rationalize
from rella_hub.stages.teachers import Written, endpoint, load_teacher
from rella_hub.tables import rationales, store

USERS = 70
THEMES = TeacherArguments(teacher="themes")


@pytest.fixture(scope="module")
def built(tmp_path_factory, request):
    """The demo corpus with the task of SLIM."""
    folder = tmp_path_factory.mktemp("rationales")
    where = build_leave_one_out(folder, USERS)
    return where


def options(**given) -> RationaleArguments:
    return RationaleArguments(**({"rationales": "teacher", "users": 40} | given))


# what is asked


def test_prompts_in_whole():
    words = load_corpus("demo").words
    assert rationale.prompt("teacher", words, ["Lunar Rocket", "Tidal Pirate"]) == (
        "A user has watched these movies, the oldest first:\n1. Lunar Rocket\n2. Tidal Pirate\n"
        "Find out in three steps which movies the user may want next.\n"
        "Step 1: say in a paragraph what the user prefers, as far as the movies above show it.\n"
        "Step 2: name the 5 categories or brands that fit these preferences best.\n"
        "Step 3: name 5 movies of each of these categories or brands.\n"
        'Write in English. Begin the steps with "Step 1:", "Step 2:" and "Step 3:", and write nothing before, between or after them.\n'
    )
    assert rationale.prompt("student", words, ["Lunar Rocket", "Tidal Pirate"]) == (
        "A user has watched these movies: 0). Lunar Rocket, 1). Tidal Pirate\n"
        "Summarize briefly what the user prefers, name 5 categories or brands that fit, and 5 movies of each.\n"
    )


def test_no_prompt_holds_a_target_or_anything_after_it(built):
    """Planted: every title is unique, so a target that is shown would be found by its title."""
    corpus = load_corpus("demo")
    about = asked(built.folder, corpus, options(users=None, shown=7, written_at=1.0))
    titles = dict(store.read(built.folder, "items").select(["item_id", "title"]).to_pandas().itertuples(index=False))
    interactions = store.read(built.folder, "interactions", columns=["user_id", "item_id"]).to_pandas()
    by_user = {user: group.tolist() for user, group in interactions.groupby("user_id", sort=True)["item_id"]}
    assert about.user_id.tolist() == sorted(by_user)
    for form in rationale.FORMS:
        for user, question in zip(about.user_id, about.questions(corpus, form, 0, len(about)), strict=True):
            *_, training, validation, test = by_user[user]  # the targets of the three splits
            expected = [titles[item] for item in by_user[user][:-3][-7:]]
            assert list(question.titles) == expected
            assert not any(titles[item] in question.prompt for item in (training, validation, test))
            assert [title for title in expected if title not in question.prompt] == []


# what is read


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", steps.EMPTY),
        (" \n", steps.EMPTY),
        ("The user likes the sea.", steps.NO_STEPS),
        ("Schritt 1: Der Nutzer mag das Meer.\nSchritt 2: Abenteuer\nSchritt 3: Piraten", steps.NO_STEPS),
        ("Step 1: the user likes the sea\nStep 3: x\nStep 2: y", steps.ANOTHER_ORDER),
        ("Step 1: the user likes the sea\nStep 2: y", steps.ANOTHER_ORDER),
        (GOOD + "\nStep 4: more", steps.ANOTHER_ORDER),
        (GOOD + "\n" + GOOD, steps.ANOTHER_ORDER),
        ("Sure!\n" + GOOD, steps.BEFORE),
        ("Step 1: the user likes the sea\nStep 2:\nStep 3: y", steps.BLANK),
        ("Step 1: the user likes the sea\nStep 2: ...\nStep 3: y", steps.BLANK),
        ("Step 1: Al usuario le gusta el mar.\nStep 2: Aventura\nStep 3: Piratas", steps.NOT_ENGLISH),
        ("Step 1: 用户喜欢大海。\nStep 2: 冒险\nStep 3: 海盗", steps.NOT_ENGLISH),
    ],
)
def test_what_is_no_rationale_is_said(text, problem):
    assert steps.read(text) == problem


@pytest.mark.parametrize(
    "text",
    [GOOD, f"\n{GOOD}\n", GOOD.replace("Step", "**STEP").replace(":", ":**", 1), GOOD.replace("Step ", "### Step ")],
)
def test_a_rationale_is_read_whatever_marks_its_steps(text):
    found = steps.read(text)
    assert isinstance(found, steps.Rationale)
    assert (found.step_2, found.step_3) == ("1. Adventure", "Adventure: Tidal Pirate")


def test_a_rationale_that_was_cut_off_is_none():
    assert steps.read(GOOD, whole=False) == steps.CUT_OFF
    assert steps.read("Step 1: the user likes", whole=False) == steps.CUT_OFF


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1), min_size=3, max_size=3))
def test_what_a_student_learns_to_write_is_read_as_the_same_steps(texts):
    first, second, third = (f"x {' '.join(text.split())} y".strip() for text in texts)
    written = steps.Rationale(f"The user likes {first} and {second}", second, third)
    assert steps.read(written.text) == written


# the demo's teacher


def test_the_themes_of_the_titles_and_nothing_else():
    teacher = load_teacher(THEMES, load_corpus("demo"))
    titles = ("Tidal Pirate", "Lunar Rocket", "Stormy Captain")
    (written,) = teacher.written([teachers.Question(titles, "")])
    found = steps.read(written.text)
    first, second, third = found.step_1, found.step_2.splitlines(), found.step_3.splitlines()
    assert first == "The user prefers movies about sea and space."
    assert second == ["1. Adventure", "2. Sci-Fi"]
    themes = {word: theme for theme, (_, _, words) in demo.THEMES.items() for word in words.split()}
    for line, theme in zip(third, ("sea", "space"), strict=True):
        named = line.partition(": ")[2].split(", ")
        assert len(set(named)) == 5
        assert {themes[title.split()[1]] for title in named} == {theme}
        assert not set(named) & set(titles)
    assert isinstance(steps.read(written.text), steps.Rationale)
    with pytest.raises(ValueError, match="knows the corpus demo alone, not ml1m"):
        load_teacher(THEMES, load_corpus("ml1m"))
    with pytest.raises(ValueError, match="--base x has no effect without --teacher language_model"):
        load_teacher(TeacherArguments(teacher="themes", base="x"), load_corpus("demo"))


def test_the_table_of_rationales_and_its_card(built, capsys):
    rationalize(built, options(), THEMES)
    found = rationales.read(built.folder, "teacher")
    assert len(found) == 40
    assert found["user_id"].is_sorted()
    record = store.made_from(built.folder, "rationales_teacher")
    assert record["teacher"] == {"kind": "themes", "name": "the rule-based teacher of the demo corpus", "version": 1}
    assert record["rows"] == {"train": 40, "unusable": 0}
    train: dict[int, list] = {}
    for row in (
        store.read(built.folder, "samples", "train", ["sample_id", "user_id", "position"])
        .sort_by("position")
        .to_pylist()
    ):
        train.setdefault(row["user_id"], []).append((row["sample_id"], row["position"]))
    halfway = [train[user][(len(train[user]) - 1) // 2] for user in found["user_id"]]
    assert list(found.select("sample_id", "position").rows()) == halfway
    assert found["history_item_ids"].list.len().to_list() == np.minimum(found["position"].to_numpy(), 10).tolist()
    for row in found.rows(named=True):
        assert steps.read(row["text"]) == steps.Rationale(row["step_1"], row["step_2"], row["step_3"])
    rationalize(built, options(), THEMES)
    assert "unchanged inputs, kept" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"made from other inputs: its shown is 10, asked for is 3"):
        rationalize(built, options(shown=3), THEMES)
    write_card(built)
    card = (built.folder / "README.md").read_text(encoding="utf-8")
    assert "Rationales of 40 users in three steps, written by the rule-based teacher of the demo corpus" in card


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rationales": "My_Own"}, "--rationales is 'My_Own'. Give a name of lower-case letters and digits"),
        ({"users": 0}, "--users is 0; .* has 70 users"),
        ({"users": 71}, "--users is 71; .* has 70 users"),
        ({"shown": 0}, "--shown is 0"),
        ({"written_at": 1.5}, "--written_at is 1.5"),
    ],
)
def test_impossible_options(built, wrong, message):
    with pytest.raises(ValueError, match=message):
        rationalize(built, options(**wrong), THEMES)


# a teacher behind an address


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(endpoint, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(endpoint.Endpoint.__init__, "__defaults__", (0.01,))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-0123456789")


def at(server, **given) -> TeacherArguments:
    return TeacherArguments(teacher="endpoint", endpoint=server.address, model="small", timeout_seconds=0.5, **given)


def contents(folder) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize("fault", [500, 503, 429, "stall", "cut", "nonsense"])
def test_a_server_that_fails_is_asked_again(built, quick, fault):
    with serving(faults=[fault]) as server:
        name = f"after{fault}"
        prices = {"prompt_price": 1.0, "completion_price": 10.0}
        rationalize(built, options(rationales=name, users=6), at(server, parallel_requests=2, **prices))
        assert len(server.asked) == 7
    record = store.made_from(built.folder, f"rationales_{name}")
    assert (record["prompt_tokens"], record["completion_tokens"]) == (42, 18)
    assert record["cost"] == pytest.approx((42 + 180) / 1e6)
    path, body, headers = server.asked[0]
    assert path == "/v1/chat/completions"
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("small", 0, 512)
    assert headers["Authorization"] == "Bearer sk-secret-0123456789"
    assert b"sk-secret" not in contents(built.folder)


def test_what_cannot_be_used_is_counted_and_kept_aside(built, quick):
    texts = iter([GOOD, None, "no", GOOD, "Step 1: the user is", GOOD])
    with serving(
        lambda prompt: chat(text := next(texts), "length" if text and "user is" in text else "stop")
    ) as server:
        rationalize(built, options(rationales="mixed", users=6), at(server, parallel_requests=1))
    record = store.made_from(built.folder, "rationales_mixed")
    assert record["rows"] == {"train": 3, "unusable": 3}
    assert record["problems"] == {steps.EMPTY: 1, steps.NO_STEPS: 1, steps.CUT_OFF: 1}
    aside = store.read(built.folder, "rationales_mixed", "unusable").to_pylist()
    assert [row["problem"] for row in aside] == [steps.EMPTY, steps.NO_STEPS, steps.CUT_OFF]
    assert record["cost"] is None


def test_a_run_that_broke_off_pays_for_nothing_twice(built, quick, monkeypatch, capsys):
    monkeypatch.setattr(stage, "USERS_PER_CHUNK", 4)
    wanted = options(rationales="resumed", users=12)
    refused = r"answered 401 .*not now.* Check --endpoint, --model and OPENAI_API_KEY"
    with serving(faults=[None] * 9 + [401]) as server, pytest.raises(ValueError, match=refused):
        rationalize(built, wanted, at(server, parallel_requests=1))
    assert "8 of 12 rationales are kept" in capsys.readouterr().out
    with serving() as server:
        port = server.server_address[1]
        rationalize(built, wanted, at(server, parallel_requests=1))
        assert len(server.asked) == 4
    assert str(port) not in json.dumps(store.made_from(built.folder, "rationales_resumed")["teacher"])
    assert len(rationales.read(built.folder, "resumed")) == 12
    assert not (built.folder / ".rationales_resumed.parts").exists()


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (["nonsense"] * 5, "gave no rationale in 5 attempts .*no chat completion.* the same command goes on"),
        ([503] * 5, "gave no rationale in 5 attempts .*answered 503"),
        (["redirect"], "answered 302"),
    ],
)
def test_a_server_that_does_not_come_to_itself(built, quick, faults, message):
    with serving(faults=faults) as server, pytest.raises(ValueError, match=message) as error:
        rationalize(built, options(rationales="never", users=1), at(server, parallel_requests=1))
    assert "sk-secret" not in str(error.value)


def test_nothing_that_can_be_used_is_an_error(built, quick):
    message = r"Not one of 3 rationales can be used \(3: no steps"
    with serving(lambda prompt: chat("no")) as server, pytest.raises(ValueError, match=message):
        rationalize(built, options(rationales="none", users=3), at(server))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"endpoint": None}, "needs --endpoint"),
        ({"endpoint": "file:///etc/passwd"}, "no address such as"),
        ({"endpoint": "https://me:secret@host/v1"}, "no address such as .* A key goes into OPENAI_API_KEY"),
        ({"endpoint": "http://example.org/v1"}, "would send the key of OPENAI_API_KEY unencrypted"),
        ({"parallel_requests": 0}, "must be at least 1"),
        ({"requests_per_minute": 0}, "must be at least 1"),
        ({"base": "x"}, "--base x has no effect"),
    ],
)
def test_addresses_that_are_refused(quick, given, message):
    usual = {"teacher": "endpoint", "endpoint": "http://127.0.0.1:1/v1", "model": "small"}
    with pytest.raises(ValueError, match=message):
        load_teacher(TeacherArguments(**(usual | given)), load_corpus("demo"))


def test_the_pace_is_kept(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(endpoint.time, "monotonic", lambda: now[0])
    slept = []
    monkeypatch.setattr(endpoint.time, "sleep", slept.append)
    pace = endpoint.Pace(30)
    for _ in range(3):
        pace.wait()
    now[0] = 200.0
    pace.wait()
    assert slept == [0, 2.0, 4.0, 0]


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"choices": []}', b'{"choices": [{"message": {}}]}'),
        b'{"choices": [{"message": {"content": 3}}]}',
        b'{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": "many"}}',
    ],
)
def test_nonsense_is_no_completion(data):
    with pytest.raises(endpoint.Nonsense):
        endpoint.completion(data)


# a language model


def test_a_local_model_writes_the_same_in_batches_of_any_size(built, tiny_tokenizer, tmp_path):
    corpus, tiny_base = load_corpus("demo"), llama(tmp_path / "base", vocab_size=len(tiny_tokenizer))
    tiny_tokenizer.save_pretrained(tiny_base)
    given = {"teacher": "language_model", "base": str(tiny_base), "max_new_tokens": 8}
    about = asked(built.folder, corpus, options(users=5))
    questions = about.questions(corpus, "teacher", 0, 5)
    whole = load_teacher(TeacherArguments(**given), corpus).written(questions)
    alone = load_teacher(TeacherArguments(**given, tokens_per_batch=1), corpus)
    assert [one.text for one in whole] == [alone.written([question])[0].text for question in questions]
    assert all(isinstance(one, Written) and 0 < one.completion_tokens <= 8 for one in whole)
    assert alone.identity["name"] == tiny_base.name
    assert str(tiny_base) not in json.dumps(alone.identity)
    with pytest.raises(ValueError, match="Not one of 5 rationales can be used"):  # a model of random weights
        rationalize(built, options(rationales="random", users=5), TeacherArguments(**given))
