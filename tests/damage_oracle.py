"""Readers of raw files in plain Python, which share nothing with the product's: the rows that damaged files hold, and what is wrong.

An oracle splits the bytes, holds them against the rules of the format and gives every (file, line) that breaks one; line None is
the file as a whole.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rella_hub.corpora.ml1m import AGES, GENDERS, OCCUPATIONS

FIXTURES = Path(__file__).parent / "fixtures" / "raw"
CORPORA = ["ml1m", "ml25m", "bookcrossing"]
ENCODING = {"ml1m": "latin-1", "ml25m": "utf-8", "bookcrossing": "cp1252"}
SEPARATOR = {"ml1m": b"::", "ml25m": b",", "bookcrossing": b";"}
SEEDS = 60  # of each kind of damage
USUAL_SEEDS = 15  # of them, in the tests that take no minutes
LONGEST_LINE = 1 << 20  # of the files that are read line by line
LONGEST_TEXT = 2000  # bytes of UTF-8
YEAR_2100 = 4_102_444_800
INT32 = 2**31

Files = dict[str, bytes]


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
