"""Damaged raw files, hundreds of ways: what is read is what the file says, or the file and the line are named.

Every case is judged by an oracle that shares nothing with the readers: it splits the damaged bytes with plain Python, holds them
against the rules of the format and gives every line that breaks one. The readers must refuse exactly the files that have such a
line, name one of those lines, and otherwise give exactly the rows of the oracle. A failure prints the seed of its case.
"""

from __future__ import annotations

import csv
import io
import random
import re
import shutil
import subprocess
import sys
import tracemalloc
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rella_hub.corpora import load_corpus
from rella_hub.corpora.ml1m import AGES, GENDERS, OCCUPATIONS
from rella_hub.corpora.raw.archive import open_raw
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.prepare import prepare
from rella_hub.tables import store

FIXTURES = Path(__file__).parent / "fixtures" / "raw"
CORPORA = ["ml1m", "ml25m", "bookcrossing"]
ENCODING = {"ml1m": "latin-1", "ml25m": "utf-8", "bookcrossing": "cp1252"}
SEPARATOR = {"ml1m": b"::", "ml25m": b",", "bookcrossing": b";"}
SEEDS = 60
LONGEST_LINE = 1 << 20  # of the files that are read line by line
LONGEST_TEXT = 2000  # bytes of UTF-8
YEAR_2100 = 4_102_444_800
INT32 = 2**31

Files = dict[str, bytes]


# The oracle: the rows that the files hold, and every (file, line) that breaks a rule; line None: the file as a whole.


class Reading:
    def __init__(self, files: Files):
        self.files = files
        self.faults: set[tuple[str, int | None]] = set()
        self.tables: dict[str, list[tuple]] = {}
        self.dropped: list[int] = []

    def fault(self, name: str, line: int | None = None) -> None:
        self.faults.add((name, line))

    def bytes_of(self, name: str) -> bytes:
        """Nothing where the file is missing, empty or binary."""
        data = self.files.get(name, b"")
        if not data:
            self.fault(name)
        if data.lstrip()[:1] in (b"<", b"{", b"[") or data[:2] in (b"\x1f\x8b", b"PK", b"\xff\xfe", b"\xfe\xff"):
            self.fault(name, 1)
        if b"\0" in data:
            self.fault(name, data[: data.index(b"\0")].count(b"\n") + 1)
            return b""
        return data

    def whole_number(self, text: str | None, name: str, line: int, low: int, high: int) -> int | None:
        if text is not None and re.fullmatch("-?0*[0-9]{1,20}", text):
            number = int(text[-20:].lstrip("-")) * (-1 if text.startswith("-") else 1)
            if low <= number <= high:
                return number
        self.fault(name, line)
        return None

    def must(self, holds: bool, name: str, line: int) -> None:
        if not holds:
            self.fault(name, line)

    def must_be_short(self, texts: list[str | None], name: str, line: int) -> None:
        self.must(all(len((text or "").encode()) <= LONGEST_TEXT for text in texts), name, line)

    def must_be_printable(self, text: str, name: str, line: int) -> None:
        blanks = set("\t\n\v\f\r\x85")
        self.must(not any(unicodedata.category(c) == "Cc" for c in set(text) - blanks), name, line)


def first_foreign_line(data: bytes) -> int:
    return next(number for number, line in enumerate(data.split(b"\n"), 1) if any(byte > 127 for byte in line))


def is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def split_lines(
    reading: Reading, name: str, separator: str, fields: int, encoding: str, header: str | None = None
) -> list[tuple[int, list[str]]]:
    """The lines of a file whose fields are never quoted: those that have the right number of fields."""
    data = reading.bytes_of(name)
    if encoding == "latin-1" and not data.isascii() and is_utf8(data):
        reading.fault(name, first_foreign_line(data))
    raw_lines = (data.removeprefix(b"\xef\xbb\xbf") if encoding == "utf-8" else data).split(b"\n")
    if raw_lines[-1] == b"":
        raw_lines.pop()
    found, rows = [], 0
    for number, raw in enumerate(raw_lines, 1):
        if encoding == "utf-8" and not is_utf8(raw):
            reading.fault(name, number)
            continue
        line = raw.decode(encoding).removesuffix("\r")
        if number == 1 and header is not None:
            reading.must(line == header, name, number)
            continue
        rows += 1
        reading.must("\r" not in line and len(raw) <= LONGEST_LINE, name, number)
        parts = line.split(separator)
        reading.must(len(parts) == fields, name, number)
        if len(parts) == fields:
            found.append((number, parts))
    if data and not rows:
        reading.fault(name)
    return found


def check_movies(reading: Reading, name: str, rows: list[tuple[int, list[str]]]) -> set[int]:
    seen = set()
    for line, (number, title, genres) in rows:
        movie = reading.whole_number(number, name, line, 1, INT32 - 1)
        first = genres.split("|")[0]
        reading.must(movie not in seen and title.strip() != "" and first.strip() != "", name, line)
        reading.must(not set("\r\n") & set(title), name, line)
        reading.must_be_printable(title + genres, name, line)
        reading.must_be_short([number, title, genres] if name == "movies.csv" else [title, genres], name, line)
        first = "unknown" if name == "movies.csv" and first == "(no genres listed)" else first
        seen.add(movie)
        reading.tables["items"].append((movie, title, first, genres))
    return seen


def read_ml1m(files: Files) -> Reading:
    reading = Reading(files)
    reading.tables = {"users": [], "items": [], "interactions": []}
    users, genders, pairs = set(), {"M": "male", "F": "female"}, set()
    assert genders == GENDERS
    for line, (number, gender, age, job, zip_code) in split_lines(reading, "users.dat", "::", 5, "latin-1"):
        user = reading.whole_number(number, "users.dat", line, 1, INT32 - 1)
        age = reading.whole_number(age, "users.dat", line, 1, 56)
        job = reading.whole_number(job, "users.dat", line, 0, 20)
        right = gender in genders and age in (1, 18, 25, 35, 45, 50, 56) and user not in users
        reading.must(right, "users.dat", line)
        reading.must_be_printable(zip_code, "users.dat", line)
        reading.must_be_short([zip_code], "users.dat", line)
        users.add(user)
        if right and job is not None:
            reading.tables["users"].append((user, genders[gender], AGES[age], OCCUPATIONS[job], zip_code))
    movies = check_movies(reading, "movies.dat", split_lines(reading, "movies.dat", "::", 3, "latin-1"))
    for line, texts in split_lines(reading, "ratings.dat", "::", 4, "latin-1"):
        bounds = [(1, INT32 - 1), (1, INT32 - 1), (1, 5), (0, YEAR_2100 - 1)]
        values = [
            reading.whole_number(text, "ratings.dat", line, *bound) for text, bound in zip(texts, bounds, strict=True)
        ]
        user, movie, rating, time = values
        reading.must(user in users and movie in movies and (user, movie) not in pairs, "ratings.dat", line)
        pairs.add((user, movie))
        reading.tables["interactions"].append((user, movie, float(rating or 0), time))
    return reading


def quoted_by_commas(text: str) -> tuple[list[tuple[int, list[str]]], int | None]:
    """RFC 4180, one character at a time: the records with their lines, and the line of the first one that is none."""
    records, i, line = [], 0, 1
    while i < len(text):
        start, record, more = line, [], True
        while more:
            field = []
            if text[i : i + 1] == '"':
                i += 1
                while text[i : i + 1] != '"' or text[i : i + 2] == '""':
                    if i >= len(text):
                        return records, start
                    line += text[i] == "\n"
                    field.append(text[i])
                    i += 2 if text[i] == '"' else 1
                i += 1
            else:
                while i < len(text) and text[i] not in '",\r\n':
                    field.append(text[i])
                    i += 1
            record.append("".join(field))
            more = text[i : i + 1] == ","
            i += more
        if i < len(text) and text[i] != "\n" and text[i : i + 2] != "\r\n":
            return records, start
        i += 2 if text[i : i + 1] == "\r" else 1
        line += 1
        records.append((start, record))
    if len(text) < 100_000:  # the csv module's limit
        by_csv = csv.reader(io.StringIO(text, newline=""), strict=True)
        assert [record for _, record in records] == [record or [""] for record in by_csv]
    return records, None


def read_ml25m(files: Files) -> Reading:
    reading = Reading(files)
    reading.tables = {"users": [], "items": [], "interactions": []}
    data, movies = reading.bytes_of("movies.csv"), set()
    foreign = [number for number, line in enumerate(data.split(b"\n"), 1) if not is_utf8(line)]
    if foreign:
        reading.fault("movies.csv", foreign[0])
    elif data:
        records, broken = quoted_by_commas(data.decode("utf-8-sig"))
        if broken is not None:
            reading.fault("movies.csv", broken)
        for line, record in records:
            reading.must(line == 1 or len(record) == 3, "movies.csv", line)
        if records and records[0][1] != ["movieId", "title", "genres"]:
            reading.fault("movies.csv", 1)
        if len(records) < 2:
            reading.fault("movies.csv")
        movies = check_movies(reading, "movies.csv", [(line, r) for line, r in records[1:] if len(r) == 3])
    users, pairs = set(), set()
    header = "userId,movieId,rating,timestamp"
    for line, (user, movie, rating, time) in split_lines(reading, "ratings.csv", ",", 4, "utf-8", header):
        user = reading.whole_number(user, "ratings.csv", line, 1, INT32 - 1)
        movie = reading.whole_number(movie, "ratings.csv", line, 1, INT32 - 1)
        time = reading.whole_number(time, "ratings.csv", line, 0, YEAR_2100 - 1)
        stars = float(rating) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", rating) else 0.0
        stars = float(np.float32(min(stars, 100)))  # what the column can hold
        reading.must(stars * 2 in range(1, 11), "ratings.csv", line)
        reading.must(movie in movies and (user, movie) not in pairs, "ratings.csv", line)
        users.add(user)
        pairs.add((user, movie))
        reading.tables["interactions"].append((user, movie, stars, time))
    reading.tables["users"] = [(user,) for user in sorted(users - {None})]
    return reading


def at_record_end(text: str, i: int) -> bool:
    return i >= len(text) or text[i] == "\n" or text[i : i + 2] == "\r\n"


def field_by_escapes(text: str, i: int) -> int | None:
    """Where the field ends that begins after the quote before `i`: at the first quote that is not escaped."""
    while i < len(text) and text[i] != '"':
        if text[i] == "\\" and i + 1 >= len(text):
            return None
        i += 2 if text[i] == "\\" else 1
    return i if i < len(text) else None


def field_by_separators(text: str, i: int) -> int | None:
    """The same, at the first quote with what may follow a field after it, and before a line that begins with a quote."""
    while i < len(text):
        if text[i : i + 2] == '\n"':
            return None
        if text[i] == '"' and (
            text[i + 1 : i + 3] == ';"' or text[i + 1 : i + 6] == ";NULL" or at_record_end(text, i + 1)
        ):
            return i
        i += 1
    return None


def record_of(text: str, i: int, fields: int, field_end: Callable[[str, int], int | None]):
    """The fields of the record at `i` and where the next one begins, or None."""
    record = []
    for number in range(fields):
        if number and text[i : i + 1] != ";":
            return None
        i += number > 0
        if text[i : i + 4] == "NULL":
            record.append(None)
            i += 4
            continue
        end = field_end(text, i + 1) if text[i : i + 1] == '"' else None
        if end is None:
            return None
        record.append(re.sub(r'\\(["\\])', r"\1", text[i + 1 : end]))
        i = end + 1
    if not at_record_end(text, i):
        return None
    return record, i + (2 if text[i : i + 1] == "\r" else 1)


UNDEFINED = {byte: chr(byte) for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}
WINDOWS_1252 = {byte: UNDEFINED.get(byte) or bytes([byte]).decode("cp1252") for byte in range(256)}


def quoted_by_semicolons(reading: Reading, name: str, header: str) -> list[tuple[int, list[str | None]]]:
    data = reading.bytes_of(name)
    text = data.decode("latin-1").translate(WINDOWS_1252)
    as_utf8 = data.decode("utf-8").removeprefix("\ufeff") if is_utf8(data) and not data.isascii() else ""
    if as_utf8 and set(as_utf8) <= set(WINDOWS_1252.values()):
        reading.fault(name, first_foreign_line(data))
    first, _, rest = text.partition("\n")
    expected = ";".join(f'"{column}"' for column in header.split())
    if data and first.rstrip("\r") != expected:
        reading.fault(name, 1)
        return []
    found, i, line = [], 0, 2
    while i < len(rest):
        record = None
        for field_end in (field_by_escapes, field_by_separators):
            record = record or record_of(rest, i, len(header.split()), field_end)
        if record is None:
            reading.fault(name, line)
            return found
        found.append((line, record[0]))
        line += rest[i : record[1]].count("\n")
        i = record[1]
    return found


FILLERS = ["", "n/a", "null", "unknown", "not avail", "not applicable (na )", "unknown publisher - being researched"]
AGE_GROUPS = [(60, "60+"), (55, "55-59"), (50, "50-54"), (45, "45-49"), (40, "40-44"), (35, "35-39"), (30, "30-34")]
AGE_GROUPS += [(25, "25-29"), (18, "18-24"), (5, "under 18")]


def read_bookcrossing(files: Files) -> Reading:
    """The country of a user is left out: its many rules have tests of their own."""
    reading = Reading(files)
    reading.tables = {"users": [], "items": [], "interactions": []}
    users, number_of, pairs, bad_isbn, no_user, no_book = set(), {}, set(), 0, 0, 0
    name = "BX-Users.csv"
    for line, (user, location, age) in quoted_by_semicolons(reading, name, "User-ID Location Age"):
        reading.must_be_short([user, location, age], name, line)
        user = reading.whole_number(user, name, line, 1, INT32 - 1)
        reading.must(user not in users and (age is None or bool(re.fullmatch("[0-9]+", age))), name, line)
        users.add(user)
        years = int(age) if age is not None and re.fullmatch("[0-9]+", age) else 0
        group = next((group for first, group in AGE_GROUPS if first <= years <= 100), "unknown")
        reading.tables["users"].append((user, group))
    name = "BX-Books.csv"
    header = "ISBN Book-Title Book-Author Year-Of-Publication Publisher Image-URL-S Image-URL-M Image-URL-L"
    for item, (line, book) in enumerate(quoted_by_semicolons(reading, name, header), 1):
        isbn, title, author, year, publisher, *_ = book
        reading.must_be_short(book[:5], name, line)
        if isbn is None or not re.fullmatch("[A-Za-z0-9]+", isbn):
            bad_isbn += 1
            continue
        reading.must(isbn not in number_of, name, line)
        number_of[isbn] = item
        author, publisher = (
            "unknown" if text is None or text.strip().lower() in FILLERS else text for text in (author, publisher)
        )
        year = year if year is not None and re.fullmatch("[0-9]{4}", year) else "unknown"
        reading.tables["items"].append((item, isbn, title or "", author, year, publisher))
    name = "BX-Book-Ratings.csv"
    for line, (user, isbn, rating) in quoted_by_semicolons(reading, name, "User-ID ISBN Book-Rating"):
        reading.must_be_short([user, isbn, rating], name, line)
        user = reading.whole_number(user, name, line, -INT32, INT32 - 1)
        rating = reading.whole_number(rating, name, line, 0, 10)
        if user not in users:
            no_user += 1
        elif isbn not in number_of:
            no_book += 1
        else:
            reading.must((user, isbn) not in pairs, name, line)
            pairs.add((user, isbn))
            reading.tables["interactions"].append((user, number_of[isbn], float(rating or 0), None))
    reading.dropped = [count for count in (bad_isbn, no_user, no_book) if count]
    return reading


ORACLE: dict[str, Callable[[Files], Reading]] = {
    "ml1m": read_ml1m,
    "ml25m": read_ml25m,
    "bookcrossing": read_bookcrossing,
}


# The damage: each kind changes some of the files in place.


def some_file(rng: random.Random, files: Files) -> str:
    return rng.choice([name for name, data in sorted(files.items()) if data] or sorted(files))


def change_lines(change: Callable[[random.Random, list[bytes], int, str], None]):
    """Damage of one to three lines; `change` gets all lines, with their ends, and the number of one."""

    def damage(rng: random.Random, files: Files, corpus: str) -> None:
        name = some_file(rng, files)
        for _ in range(rng.randint(1, 3)):
            lines = files[name].splitlines(keepends=True) if b"\n" not in files[name] else None
            lines = lines or [line + b"\n" for line in files[name].split(b"\n")]
            change(rng, lines, rng.randrange(len(lines)), corpus)
            files[name] = b"".join(lines).removesuffix(b"\n")

    return damage


def flip(rng: random.Random, files: Files, corpus: str) -> None:
    for _ in range(rng.randint(1, 3)):
        name = some_file(rng, files)
        at = rng.randrange(len(files[name]) or 1)
        files[name] = files[name][:at] + bytes([rng.randrange(256)]) + files[name][at + 1 :]


def insert(rng: random.Random, files: Files, corpus: str) -> None:
    for _ in range(rng.randint(1, 3)):
        name = some_file(rng, files)
        at = rng.randrange(len(files[name]) + 1)
        byte = bytes([rng.choice(b'"":;,|\r\n\\+- 0\t.') if rng.random() < 0.7 else rng.randrange(256)])
        files[name] = files[name][:at] + byte + files[name][at:]


def remove(rng: random.Random, files: Files, corpus: str) -> None:
    for _ in range(rng.randint(1, 3)):
        name = some_file(rng, files)
        special = [i for i, byte in enumerate(files[name]) if byte in b'":;,|\r\n\\']
        at = rng.choice(special) if special and rng.random() < 0.5 else rng.randrange(len(files[name]) or 1)
        files[name] = files[name][:at] + files[name][at + 1 :]


def cut_file(rng: random.Random, files: Files, corpus: str) -> None:
    name = some_file(rng, files)
    at = rng.randrange(len(files[name]) + 1)
    files[name] = files[name][:at] if rng.random() < 0.7 else files[name][at:]


def cut_line(rng, lines, i, corpus):
    end = rng.choice([b"\n", b"\r\n", b""])
    lines[i] = lines[i][: rng.randrange(len(lines[i]))] + end


def drop_line(rng, lines, i, corpus):
    if len(lines) > 1:
        del lines[i : i + rng.choice([1, 1, 5])]


def swap_fields(rng, lines, i, corpus):
    everywhere = rng.random() < 0.2
    one, other = rng.randrange(5), rng.randrange(5)
    for j in range(len(lines)) if everywhere else [i]:
        text = lines[j].rstrip(b"\r\n")
        fields = text.split(SEPARATOR[corpus])
        one, other = one % len(fields), other % len(fields)
        fields[one], fields[other] = fields[other], fields[one]
        lines[j] = SEPARATOR[corpus].join(fields) + lines[j][len(text) :]


def separators(rng, lines, i, corpus):
    fields = lines[i].split(SEPARATOR[corpus])
    join = rng.choice(
        [SEPARATOR[corpus] * 2, SEPARATOR[corpus][:1], b"\t", b"", b":::", b'"' + SEPARATOR[corpus] + b'"']
    )
    at = rng.randrange(1, len(fields) + 1)
    lines[i] = SEPARATOR[corpus].join(fields[:at]) + join + SEPARATOR[corpus].join(fields[at:])


def duplicate(rng, lines, i, corpus):
    lines.insert(rng.randrange(len(lines) + 1), lines[i])


def reencode(rng, lines, i, corpus):
    foreign = [j for j, line in enumerate(lines) if not line.isascii()]
    i = rng.choice(foreign) if foreign and rng.random() < 0.6 else i
    text = lines[i].decode(ENCODING[corpus], "replace")
    if rng.random() < 0.3:
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice("éß€½Ω中") + text[at:]
    encoding = rng.choice(["utf-8", "cp1252", "latin-1", "utf-16", "utf-16-le", "mac-roman", "shift-jis"])
    which = range(len(lines)) if rng.random() < 0.2 else [i]
    for j in which:
        line = text if j == i else lines[j].decode(ENCODING[corpus], "replace")
        lines[j] = line.encode(encoding, "replace")


def byte_order_mark(rng: random.Random, files: Files, corpus: str) -> None:
    name = some_file(rng, files)
    starts = [0, *(match.end() for match in re.finditer(b"\n", files[name]))]
    at = rng.choice([0, 0, rng.choice(starts), rng.randrange(len(files[name]) + 1)])
    mark = rng.choice([b"\xef\xbb\xbf", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
    files[name] = files[name][:at] + mark + files[name][at:]


def null_bytes(rng: random.Random, files: Files, corpus: str) -> None:
    name = some_file(rng, files)
    at = rng.randrange(len(files[name]) + 1)
    count = rng.choice([1, 2, 512])
    files[name] = files[name][:at] + b"\0" * count + files[name][at + rng.choice([0, count]) :]


def empty(rng: random.Random, files: Files, corpus: str) -> None:
    name = some_file(rng, files)
    header = files[name].split(b"\n")[0]
    files[name] = rng.choice([b"", b"", b"\n", b"\r\n", b" ", header, header + b"\n"])


def missing(rng: random.Random, files: Files, corpus: str) -> None:
    del files[some_file(rng, files)]


def line_ends(rng: random.Random, files: Files, corpus: str) -> None:
    name = some_file(rng, files)
    lines = re.split(b"\r?\n", files[name])
    end = rng.choice([b"\r", b"\n", b"\r\n", b"\n\r", b"\r\r\n", b"\n\n", b"\x0b", b"\x0c", b"\x85", b"\x1e"])
    share = rng.choice([1, 0.5, 0.02])
    ends = [end if rng.random() < share else rng.choice([b"\n", b"\r\n"]) for _ in lines]
    files[name] = b"".join(line + end for line, end in zip(lines, ends, strict=True)).removesuffix(ends[-1])


def long_line(rng, lines, i, corpus):
    at = rng.randrange(len(lines[i]))
    unit = rng.choice([b"0", b"7", b"long ", b'""', b"\\", SEPARATOR[corpus]])
    size = rng.choice([1000, 30_000, 100_000 if corpus == "bookcrossing" else 3 * LONGEST_LINE // 2])
    lines[i] = lines[i][:at] + unit * (size // len(unit)) + lines[i][at:]


SPELLINGS = [
    "+5",
    " 5",
    "5 ",
    "1_000",
    "1e3",
    "1e0",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "Infinity",
    "0x1",
    "٣",
    "５",
    "5.0",
    ".5",
]
SPELLINGS += [
    "5.",
    "-5",
    "-0",
    "0",
    "005",
    "2147483647",
    "2147483648",
    "4294967297",
    "9223372036854775808",
    "9" * 400,
    "",
]
SPELLINGS += [
    "1,5",
    "½",
    "3.5",
    "3.25",
    "3.50",
    "10.5",
    "\t4",
    "4\xa0",
    "--5",
    "+-5",
    "5L",
    "1 000",
    "NULL",
    "None",
    "true",
    "'5'",
]


def spell_numbers(rng, lines, i, corpus):
    numbers = list(re.finditer(rb"(?<![^:,;\"\n])[0-9.]+(?![^:,;\"\r\n])", lines[i]))
    if numbers:
        found = rng.choice(numbers)
        spelled = rng.choice([*SPELLINGS, "+" + found[0].decode(), found[0].decode() + ".0", "0" + found[0].decode()])
        lines[i] = lines[i][: found.start()] + spelled.encode(ENCODING[corpus], "ignore") + lines[i][found.end() :]


def garbage(rng: random.Random, files: Files, corpus: str) -> None:
    name = some_file(rng, files)
    at = rng.choice([0, len(files[name]), rng.randrange(len(files[name]) + 1)])
    some = rng.choice([b"PK\x03\x04", b"\x1f\x8b\x08", b"<!DOCTYPE html><html>\n", b"\n\n\n", rng.randbytes(40)])
    files[name] = files[name][:at] + some + files[name][at:]


KINDS: dict[str, Callable[[random.Random, Files, str], None]] = {
    "bytes changed": flip,
    "bytes put in": insert,
    "bytes taken out": remove,
    "file cut": cut_file,
    "lines cut": change_lines(cut_line),
    "lines taken out": change_lines(drop_line),
    "lines twice": change_lines(duplicate),
    "fields swapped": change_lines(swap_fields),
    "separators": change_lines(separators),
    "encodings mixed": change_lines(reencode),
    "byte order mark": byte_order_mark,
    "NUL bytes": null_bytes,
    "line ends mixed": line_ends,
    "long lines": change_lines(long_line),
    "numbers spelled otherwise": change_lines(spell_numbers),
    "garbage": garbage,
    "file emptied": empty,
    "file missing": missing,
}
FEWER = {"long lines": 20, "NUL bytes": 30, "byte order mark": 30, "file emptied": 20, "file missing": 10}  # seeds


def several(rng: random.Random, files: Files, corpus: str) -> None:
    for _ in range(3):
        if len(files) > 1:
            rng.choice(sorted(KINDS.items()))[1](rng, files, corpus)


KINDS["several kinds"] = several


def original(corpus: str) -> Files:
    return {name: (FIXTURES / corpus / name).read_bytes() for name in load_corpus(corpus).files}


def damaged(corpus: str, kind: str, seed: int) -> Files:
    files = original(corpus)
    KINDS[kind](random.Random(f"{corpus} {kind} {seed}"), files, corpus)
    return files


def write(folder: Path, files: Files) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def read(corpus: str, path: Path):
    facts = load_corpus(corpus)
    with open_raw(path, facts.files, facts.archive) as raw:
        return facts.read(raw)


def refusal(do: Callable, *arguments) -> str | None:
    """What the ValueError says that `do` ends in, or None where it ends well."""
    try:
        do(*arguments)
    except ValueError as error:
        return str(error)
    return None


def rows_of(tables) -> dict[str, list[tuple]]:
    users = tables.users.drop("country", strict=False)
    return {"users": users.rows(), "items": tables.items.rows(), "interactions": tables.interactions.rows()}


def read_into(found: dict[str, list[tuple]], corpus: str, path: Path) -> None:
    found |= rows_of(read(corpus, path))


def require_a_named_fault(said: str, expected: Reading, path: Path) -> None:
    """The message is a short one and names a line that breaks a rule, or the file where it is the whole file."""
    assert len(said) < 500
    assert expected.faults, f"refused, and nothing is wrong: {said}"
    if named := re.match(r"([\w.-]+), line (\d+): ", said):
        assert (named[1], int(named[2])) in expected.faults, f"{said}\n{sorted(expected.faults, key=str)}"
    else:
        whole = re.match(rf"([\w.-]+) (?:is empty|has no rows)\.|{re.escape(str(path))} has no file ([\w.-]+)\.", said)
        assert whole, f"names no line: {said}"
        assert (whole[1] or whole[2], None) in expected.faults, said


def judge(corpus: str, path: Path, files: Files) -> bool:
    """Whether the files were read; AssertionError where they should (not) have been, or otherwise."""
    expected = ORACLE[corpus](files)
    tables = None
    try:
        tables = read(corpus, path)
    except ValueError as error:
        require_a_named_fault(str(error), expected, path)
    if tables is None:
        return False
    assert not expected.faults, f"read in spite of {sorted(expected.faults, key=str)}"
    assert rows_of(tables) == expected.tables
    assert list(tables.dropped.values()) == expected.dropped
    return True


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_oracle_reads_the_fixture(corpus):
    files = original(corpus)
    assert judge(corpus, FIXTURES / corpus, files)
    assert all(ORACLE[corpus](files).tables.values())


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_named_or_read_as_it_stands(corpus, kind, tmp_path):
    read_all = 0
    for seed in range(FEWER.get(kind, SEEDS)):
        files = damaged(corpus, kind, seed)
        try:
            read_all += judge(corpus, write(tmp_path / "raw", files), files)
        except BaseException:
            print(f"damaged({corpus!r}, {kind!r}, {seed})")
            raise
    print(f"{read_all} of {FEWER.get(kind, SEEDS)} were still whole")


NUMBERS = {
    "ml1m": {"users.dat": [0, 2, 3], "movies.dat": [0], "ratings.dat": [0, 1, 2, 3]},
    "ml25m": {"movies.csv": [0], "ratings.csv": [0, 1, 2, 3]},
    "bookcrossing": {"BX-Users.csv": [0, 2], "BX-Book-Ratings.csv": [0, 2]},
}  # file -> its fields that are numbers


@pytest.mark.parametrize(("corpus", "name"), [(corpus, name) for corpus in CORPORA for name in NUMBERS[corpus]])
def test_every_spelling_of_a_number_in_every_field_that_is_one(corpus, name, tmp_path):
    """Python and the readers' casts disagree on many of these; a raw file holds plain digits."""
    lines = original(corpus)[name].split(b"\n")
    for field in NUMBERS[corpus][name]:
        for spelled in SPELLINGS:
            fields = lines[2].rstrip(b"\r").split(SEPARATOR[corpus])
            quote = b'"' if fields[field].startswith(b'"') else b""
            fields[field] = quote + spelled.encode(ENCODING[corpus], "ignore") + quote
            changed = [*lines[:2], SEPARATOR[corpus].join(fields), *lines[3:]]
            files = original(corpus) | {name: b"\n".join(changed)}
            print(f"{spelled!r} in field {field}")
            judge(corpus, write(tmp_path / "raw", files), files)


@pytest.mark.parametrize("corpus", CORPORA)
def test_damage_leaves_whole_tables_or_none(corpus, tmp_path):
    """The same through the command's stage, from folders and zip archives."""
    for seed in range(12):
        kind = sorted(KINDS)[(5 * seed) % len(KINDS)]
        files = damaged(corpus, kind, seed)
        path = write(tmp_path / f"raw-{seed}", files)
        where = FolderArguments(corpus=corpus, output=str(tmp_path / f"out-{seed}"))
        said = refusal(prepare, where, RawArguments(raw=str(zip_of(path, files) if seed % 2 else path)))
        print(f"damaged({corpus!r}, {kind!r}, {seed}): {said}")
        expected = ORACLE[corpus](files)
        if said is None:
            assert not expected.faults
            for name, rows in expected.tables.items():
                assert store.count_rows(where.folder, name) == len(rows)
        else:
            assert expected.faults or "No user has more than 5 ratings" in said
            assert store.table_names(where.folder) == []
            assert not where.folder.exists() or not list(where.folder.iterdir()), "nothing half made is left"


# Damage to the archive. Its checksums tell: what is read is the original, or the archive is refused by name.


def zip_of(path: Path, files: Files, packing: int = zipfile.ZIP_DEFLATED) -> Path:
    path = path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as out:
        out.comment = b"for research"
        for name, data in files.items():
            out.writestr(zipfile.ZipInfo(f"raw/{name}", (2003, 2, 1, 0, 0, 0)), data, packing)
    return path


def zip_flip(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def zip_flip_directory(rng: random.Random, data: bytes) -> bytes:
    """Where the damage is not in the packed files: their names, sizes, methods, places."""
    start = data.index(b"PK\x01\x02")
    return data[:start] + zip_flip(rng, data[start:])


def zip_cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def zip_hole(rng: random.Random, data: bytes) -> bytes:
    at, size = rng.randrange(len(data)), rng.choice([1, 2, 30])
    return data[:at] + rng.choice([b"", b"\0" * size, rng.randbytes(size)]) + data[at + size :]


def zip_inserted(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + rng.randbytes(rng.choice([1, 40])) + data[at:]


ZIP_KINDS = {
    "bit changed": zip_flip,
    "bit changed in the directory": zip_flip_directory,
    "cut": zip_cut,
    "hole": zip_hole,
    "bytes put in": zip_inserted,
}


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("kind", ZIP_KINDS)
@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_a_damaged_archive_is_named_or_gives_the_original(corpus, kind, packing, tmp_path):
    files = original(corpus)
    path = zip_of(tmp_path / "raw", files, packing=packing)
    whole, expected = path.read_bytes(), ORACLE[corpus](files).tables
    for seed in range(SEEDS // 2):  # for each packing
        found = {}
        path.write_bytes(ZIP_KINDS[kind](random.Random(f"{corpus} {kind} {packing} {seed}"), whole))
        print(f"seed {seed}")
        said = refusal(read_into, found, corpus, path)
        assert found == expected if said is None else str(path) in said, said


def with_member(path: Path, files: Files, member: zipfile.ZipInfo, data: bytes) -> Path:
    path = zip_of(path, files)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as out:
        out.writestr(member, data)
    return path


def patched(path: Path, local: int, central: int, value: bytes) -> Path:
    """The archive with `value` at an offset of the first local header, and at one of the first entry of the directory."""
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        at = data.index(signature) + offset
        data[at : at + len(value)] = value
    path.write_bytes(data)
    return path


CRAFTED = {
    "a path that climbs": (
        lambda path, files: with_member(path, files, zipfile.ZipInfo("raw/../../x.txt"), b"x"),
        r"holds the path 'raw/\.\./\.\./x\.txt', which leads out of the archive",
    ),
    "an absolute path": (
        lambda path, files: with_member(path, files, zipfile.ZipInfo("/etc/x.txt"), b"x"),
        r"holds the path '/etc/x\.txt', which leads out of the archive",
    ),
    "a member twice": (
        lambda path, files: with_member(path, files, zipfile.ZipInfo(f"again/{min(files)}"), files[min(files)]),
        "must hold {first} once, it holds it 2 times",
    ),
    "a folder of that name": (
        lambda path, files: with_member(
            path, {n: d for n, d in files.items() if n != min(files)}, zipfile.ZipInfo(f"raw/{min(files)}/"), b""
        ),
        "must hold {first} once, it holds it 0 times",
    ),
    "encrypted": (lambda path, files: patched(zip_of(path, files), 6, 8, b"\x01"), "cannot be unpacked.*encrypted"),
    "strongly encrypted": (lambda path, files: patched(zip_of(path, files), 6, 8, b"\x41"), "cannot be unpacked"),
    "an unknown method": (lambda path, files: patched(zip_of(path, files), 8, 10, b"\x63\0"), "packed by method 99"),
    "bzip2": (lambda path, files: zip_of(path, files, packing=zipfile.ZIP_BZIP2), "packed by method 12"),
    "lzma": (lambda path, files: zip_of(path, files, packing=zipfile.ZIP_LZMA), "packed by method 14"),
    "a version of the format to come": (
        lambda path, files: patched(zip_of(path, files), 4, 6, b"\xff"),
        "not a whole zip",
    ),
    "a name that is no text": (
        lambda path, files: patched(patched(zip_of(path, files), 7, 9, b"\x08"), 30, 46, b"\xff"),
        "not a whole zip",
    ),
    "not a zip": (lambda path, files: write_bytes(path, b"<!DOCTYPE html><html></html>"), "is not a whole zip archive"),
    "an empty file": (lambda path, files: write_bytes(path, b""), "is not a whole zip archive"),
    "an archive of nothing": (lambda path, files: zip_of(path, {}), "it holds it 0 times"),
}


def write_bytes(path: Path, data: bytes) -> Path:
    path = path.with_suffix(".zip")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("case", CRAFTED)
def test_a_crafted_archive_is_refused_by_name(corpus, case, tmp_path):
    make, said = CRAFTED[case]
    files = original(corpus)
    path = make(tmp_path / "raw", files)
    with pytest.raises(ValueError, match=said.format(first=re.escape(min(files)))) as raised:
        read(corpus, path)
    assert str(path) in str(raised.value)
    assert [p.name for p in tmp_path.iterdir()] == ["raw.zip"], "nothing was unpacked"


# Bombs. What is measured is memory, not time: Python's own here, all of it in a process of its own below.


def claims_a_terabyte(path: Path, files: Files) -> Path:
    path = path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)
        out.getinfo(max(files)).file_size = 2**40  # written into the directory when the archive is closed
    return path


def packed_small(path: Path, files: Files) -> Path:
    line = files[max(files)].splitlines(keepends=True)[-1]
    return zip_of(path, files | {max(files): line * (65 * 1024**2 // len(line))})


def lies_about_its_size(path: Path, files: Files) -> Path:
    """100 bytes by the directory, 65 MiB in fact."""
    path = packed_small(path, files)
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo(f"raw/{max(files)}").file_size.to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (100).to_bytes(4, "little")))
    return path


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize(
    ("bomb", "said", "mebibytes"),
    [
        (claims_a_terabyte, "{name} claims 1,099,511,627,776 bytes, more than any real one", 4),
        (
            packed_small,
            r"{name} claims to unpack from [\d,]+ to 6\d,\d{{3}},\d{{3}} bytes, as no table of ratings does",
            4,
        ),
        (lies_about_its_size, "{name} cannot be unpacked", 40),  # two blocks
    ],
    ids=["claims a terabyte", "packed small", "lies about its size"],
)
def test_a_bomb_is_refused_before_it_is_inflated(corpus, bomb, said, mebibytes, tmp_path):
    files = original(corpus)
    path = bomb(tmp_path / "raw", files)
    read(corpus, FIXTURES / corpus)  # what is imported or cached once is not counted
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=said.format(name=re.escape(max(files)))) as raised:
            read(corpus, path)
        assert tracemalloc.get_traced_memory()[1] < mebibytes * 1024**2
    finally:
        tracemalloc.stop()
    assert str(path) in str(raised.value)


MEASURE = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_damage import CORPORA, FIXTURES, read
for corpus in CORPORA:
    read(corpus, FIXTURES / corpus)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for corpus, path in zip(sys.argv[2::2], sys.argv[3::2]):
    try:
        read(corpus, Path(path))
        print(corpus, path, "was read")
    except ValueError as error:
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(corpus, f"{(after - before) // 1024} MiB:", str(error)[:150].encode("unicode_escape").decode())
"""


def test_what_is_too_small_to_be_refused_takes_no_memory_to_speak_of(tmp_path):
    """More than a block of line ends, of one endless line and of quotes that are never closed, out of a few kilobytes."""
    arguments = []
    for corpus, byte in zip(CORPORA, (b"\n", b"0", b'"'), strict=True):
        files = original(corpus)
        header = files[max(files)].splitlines(keepends=True)[0]
        path = zip_of(tmp_path / corpus, files | {max(files): header + byte * (18 * 1024**2)})
        arguments += [corpus, str(path)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(Path(__file__).parent), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    lines = done.stdout.splitlines()
    assert len(lines) == len(arguments) // 2
    for corpus, line in zip(arguments[::2], lines, strict=True):
        measured = re.match(rf"{corpus} (\d+) MiB: [\w.-]+, line \d+: ", line)
        assert measured, line
        assert int(measured[1]) < 1536, line
