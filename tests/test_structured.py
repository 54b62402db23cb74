"""YAML and JSON of anybody: read as it is written, or refused in one line that names the file."""

import pytest
from builders import Model, Training

from rella_hub import cli
from rella_hub.texts.structured import parse_json, read_mapping

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture
def recipe(tmp_path):
    def write(text: str | bytes) -> str:
        path = tmp_path / "recipe.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def parse(*arguments: str) -> tuple:
    return cli.parse(Model, Training, description="Train.", arguments=list(arguments))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, r"line 2: \*a repeats another value"),
        ("base: &x small\nnote: *x", r"line 2: \*x repeats another value, which is not read; write the value out"),
        ("<<: {base: small}", "line 1: << is not read"),
        ("base: a\nrank: 4\nbase: b", r"line 3: 'base' is given twice"),
        ("base: {a: 1, a: 2}", "'a' is given twice"),
        ("base:\tsmall\n\trank: 4", "line 1: found character"),
        ("base: small".encode("utf-16"), "is not a text in UTF-8"),
        ("base: süß".encode("latin-1"), "is not a text in UTF-8"),
        ("base: \x00", "unacceptable character"),
        ("base: " + "[" * 5000, "is not a YAML file"),
        ("{a: " * 5000, "is not a YAML file"),
        ("base: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("base: a\n---\nbase: b", "another document"),
        ("base: a\nrank: " + "9" * 5000, "is not a YAML file"),
        ("base: " + "x" * 2_000_000, "fewer than 1,048,576"),
        ("1: x", "unknown key 1"),
        ("null: x", "unknown key None"),
        ("[a]: x", "unhashable key"),
        ("base: a\ntarget_modules: [[q_proj]]", "among the values of 'target_modules'"),
        ("base: a\ntarget_modules: [null]", "among the values of 'target_modules'"),
        ("base: a\nlora_rank: 4", "unknown key 'lora_rank'; did you mean 'rank'"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_recipe_is_refused_in_a_line(recipe, text, said):
    with pytest.raises(ValueError, match=said) as refused:
        parse("--config", recipe(text))
    assert "recipe.yaml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_is_no_recipe(tmp_path):
    with pytest.raises(ValueError, match="is a folder; expected a file"):
        parse("--config", str(tmp_path))


@pytest.mark.parametrize(
    ("written", "given"),
    [
        ("1.10", "1.10"),  # a tag, which is no 1.1
        ("0123456", "0123456"),  # a commit, which is no number of base 8
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("2024-99-99", "2024-99-99"),
        ("no", "no"),
        ("on", "on"),
        ("1e3", "1e3"),
        ("'null'", "null"),
        ('"-x"', "-x"),
        ("-1e-3", "-1e-3"),
        ("--rank=9", "--rank=9"),
        ("", None),
        ("~", None),
        ("null", None),
    ],
)
def test_a_text_option_gets_what_is_written(recipe, written, given):
    model, training = parse("--config", recipe(f"base: a\nnote: {written}\n"))
    assert training.note == given
    assert model.rank == 8


def test_numbers_and_truth_values_are_read_as_people_mean_them(recipe):
    text = "base: a\nlearning_rate: 1e-3\npacking: yes\nrank: 16\ntarget_modules: [no, 1e5]\n"
    model, training = parse("--config", recipe(text))
    assert (training.learning_rate, training.packing, model.rank) == (1e-3, True, 16)
    assert model.target_modules == ["no", "1e5"]


def test_a_byte_order_mark_is_no_part_of_the_first_key(recipe):
    assert parse("--config", recipe(b"\xef\xbb\xbfbase: a\n"))[0].base == "a"


def test_numbers_in_a_mapping_are_numbers(recipe):
    text = "base: {dropout: 1e-1, sizes: [64, 2.5], on: true, name: 1.0.0, nothing: null}\n"
    assert parse("--config", recipe(text))[0].base == (
        '{"dropout": 0.1, "sizes": [64, 2.5], "true": true, "name": "1.0.0", "nothing": null}'
    )


def test_the_home_folder_is_meant_wherever_a_path_is_an_option(recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    home = str(tmp_path)
    assert parse("--base=~/small")[0].base == f"{home}/small"
    model, training = parse(
        "--config", recipe("base: ~/small\nnote: '~'\ntarget_modules: [~/a, b~, ~no-such-user/c]\n")
    )
    assert (model.base, training.note) == (f"{home}/small", home)
    assert model.target_modules == [f"{home}/a", "b~", "~no-such-user/c"]
    assert parse("--base", "a/~/b")[0].base == "a/~/b"
    assert parse("--config=~/recipe.yaml", "--base", "x")[0].base == "x"


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "", "\ufeff{", "{'a': 1}"], ids=lambda text: repr(text)[:10])
def test_what_is_no_json_is_refused_in_a_line(text):
    with pytest.raises(ValueError, match=r"^it is not JSON") as refused:
        parse_json(text, "it")
    assert "\n" not in str(refused.value)


def test_a_mapping_is_read_from_json_and_nothing_else_is(tmp_path):
    path = tmp_path / "record.json"
    path.write_text('{"a": 1}')
    assert read_mapping(path) == {"a": 1}
    path.write_text("[1]")
    with pytest.raises(ValueError, match=r"record\.json must hold a mapping of names to values, it holds list"):
        read_mapping(path)
