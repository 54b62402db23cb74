"""MovieLens-1M: what is read from the raw files, and what is said of damaged ones."""

import shutil
import zipfile

import polars as pl
import pytest

from rella_hub.corpora import corpus_ids, load_corpus
from rella_hub.corpora.ml1m import AGES, OCCUPATIONS, read
from rella_hub.corpora.raw.archive import open_raw
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.prepare import prepare
from rella_hub.tables import store

CORPUS = load_corpus("ml1m")


@pytest.fixture
def raw(raw_ml1m, tmp_path):
    """A copy of the raw files, to be damaged."""
    return shutil.copytree(raw_ml1m, tmp_path / "ml-1m")


@pytest.fixture
def tables(raw_ml1m):
    with open_raw(raw_ml1m, CORPUS.files, CORPUS.archive) as files:
        return read(files)


def lines_of(path) -> list[list[str]]:
    return [line.split("::") for line in path.read_text(encoding="latin-1").splitlines()]


def test_every_corpus_names_itself():
    for corpus_id in corpus_ids():
        assert load_corpus(corpus_id).id == corpus_id
    with pytest.raises(ValueError, match=r"no corpus 'ml2m'.*ml1m"):
        load_corpus("ml2m")


def test_interactions_are_the_lines(tables, raw_ml1m):
    read_back = tables.interactions.select("user_id", "item_id", "rating", "timestamp").rows()
    assert read_back == [tuple(map(int, line)) for line in lines_of(raw_ml1m / "ratings.dat")]


def test_codes_become_words(tables, raw_ml1m):
    genders = {"F": "female", "M": "male"}
    assert tables.users.rows() == [
        (int(user), genders[gender], AGES[int(age)], OCCUPATIONS[int(job)], zip_code)
        for user, gender, age, job, zip_code in lines_of(raw_ml1m / "users.dat")
    ]


def test_the_genre_is_the_first_one_and_letters_survive(tables, raw_ml1m):
    assert tables.items.rows() == [
        (int(movie), title, genres.split("|")[0], genres) for movie, title, genres in lines_of(raw_ml1m / "movies.dat")
    ]
    assert "L'Étoile perdue (1962)" in tables.items["title"].to_list()


def test_words_of_users_and_items(words):
    users = pl.DataFrame(
        {"gender": ["male", "female", "female"], "age": ["25-34", "above 56", "under 18"]}
        | {"occupation": ["lawyer", OCCUPATIONS[0], "K-12 student"]}
    )
    assert words.profile(users).to_list() == [
        "The user is male and aged 25-34; occupation: lawyer.",
        "The user is female and above 56 years old; occupation: not specified.",
        "The user is female and under 18 years old; occupation: K-12 student.",
    ]
    assert words.subject(users).to_list() == ["he", "she", "she"]
    items = pl.DataFrame({"title": ["Orbit 9 (1968)"], "genre": ["Sci-Fi"]})
    assert words.title(items).to_list() == ["Orbit 9 (1968)"]
    assert words.description(items).to_list() == [
        "The title of the movie is Orbit 9 (1968). The genre of the movie is Sci-Fi."
    ]


def append(name: str, line: str):
    def damage(raw):
        with (raw / name).open("a", encoding="latin-1", newline="") as file:
            file.write(line + "\n")

    return damage


def as_utf_8(raw):
    path = raw / "movies.dat"
    path.write_text(path.read_text(encoding="latin-1"), encoding="utf-8")


def again(raw):
    append("ratings.dat", (raw / "ratings.dat").read_text().splitlines()[0])(raw)


DAMAGE = {
    "a file is missing": (lambda raw: (raw / "movies.dat").unlink(), r"(has no file|must hold) movies\.dat"),
    "a file is empty": (lambda raw: (raw / "users.dat").write_bytes(b""), r"users\.dat is empty"),
    "utf-8": (as_utf_8, r"movies\.dat, line 2: the file is UTF-8, expected ISO-8859-1"),
    "too few fields": (append("ratings.dat", "1::2::3"), r"ratings\.dat, line 118: 3 fields, expected 4"),
    "too many fields": (append("movies.dat", "7::A::B::C"), r"movies\.dat, line 23: 4 fields, expected 3"),
    "no number": (append("ratings.dat", "1::two::3::4"), r"ratings\.dat, line 118: item_id is 'two'"),
    "unknown movie": (append("ratings.dat", "1::7::3::4"), r"ratings\.dat, line 118: movie 7 is not in movies\.dat"),
    "unknown user": (append("ratings.dat", "8::2::3::4"), r"ratings\.dat, line 118: user 8 is not in users\.dat"),
    "rated twice": (again, r"ratings\.dat, line 118: user \d+ has rated movie \d+ already \(1 such lines"),
    "six stars": (append("ratings.dat", "1::2::6::4"), r"ratings\.dat, line 118: rating is 6, expected 1 to 5"),
    "before 1970": (append("ratings.dat", "1::104::5::-4"), r"ratings\.dat, line 118: timestamp is -4"),
    "user twice": (append("users.dat", "1::F::1::10::48067"), r"users\.dat, line 11: user 1 stands there already"),
    "movie twice": (append("movies.dat", "1::A::B"), r"movies\.dat, line 23: movie 1 stands there already"),
    "no title": (append("movies.dat", "7:: ::B"), r"movies\.dat, line 23: movie 7 has no title"),
    "gender": (append("users.dat", "77::X::1::10::48067"), r"users\.dat, line 11: gender is 'X', expected M or F"),
    "age": (append("users.dat", "77::F::26::10::48067"), r"users\.dat, line 11: age code is 26, expected one of \[1,"),
    "occupation": (append("users.dat", "77::F::1::21::48067"), r"users\.dat, line 11: occupation code is 21"),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_damage_is_named_and_leaves_no_table(raw, where, damage, packed):
    do, said = DAMAGE[damage]
    do(raw)
    with pytest.raises(ValueError, match=said):
        prepare(where, RawArguments(raw=str(zip_of(raw) if packed else raw)))
    assert store.table_names(where.folder) == []


def zip_of(raw, prefix: str = "ml-1m/"):
    path = raw.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for file in sorted(raw.iterdir()):
            out.write(file, prefix + file.name)
    return path


@pytest.mark.parametrize("packed", ["truncated", "climbing"])
def test_a_damaged_zip_leaves_no_table(raw, where, packed):
    path = zip_of(raw, "../" if packed == "climbing" else "ml-1m/")
    if packed == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is not a whole zip" if packed == "truncated" else "leads out of the archive"):
        prepare(where, RawArguments(raw=str(path)))
    assert store.table_names(where.folder) == []


def test_zip_and_folder_give_the_same_tables(raw, tmp_path):
    folders = []
    for source in (raw, zip_of(raw)):
        folders.append(FolderArguments(corpus="ml1m", output=str(tmp_path / f"from-{source.suffix}")))
        prepare(folders[-1], RawArguments(raw=str(source)))
    for name in ("users", "items", "interactions", "samples"):
        for split in store.table_splits(folders[0].folder, name):
            assert store.read(folders[0].folder, name, split).equals(store.read(folders[1].folder, name, split))


def test_status_is_said_and_recorded(raw, where, capsys):
    prepare(where, RawArguments(raw=str(zip_of(raw))))
    said = capsys.readouterr().err
    assert "is NOT the official MovieLens-1M archive" in said
    assert "117 interactions, the official MovieLens-1M has 1,000,209" in said
    assert {store.provenance(where.folder, name)["raw_status"] for name in store.table_names(where.folder)} == {
        "not official"
    }


def test_users_with_too_few_ratings_only(raw, where):
    few = [line for line in (raw / "ratings.dat").read_text().splitlines() if line.startswith(("6::", "10::"))]
    (raw / "ratings.dat").write_text("\n".join(few))
    with pytest.raises(ValueError, match=r"No user has more than 5 ratings.*8 ratings by 2 users"):
        prepare(where, RawArguments(raw=str(raw)))
    assert store.table_names(where.folder) == []
