"""The ways in which raw files are damaged: each kind changes some of the files in place. A case is a corpus, a kind and a seed."""

from __future__ import annotations

import random
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from damage_oracle import ENCODING, FIXTURES, LONGEST_LINE, SEPARATOR, Files

from rella_hub.corpora import load_corpus
from rella_hub.corpora.raw.archive import open_raw


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


def zip_of(path: Path, files: Files, packing: int = zipfile.ZIP_DEFLATED) -> Path:
    path = path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as out:
        out.comment = b"for research"
        for name, data in files.items():
            out.writestr(zipfile.ZipInfo(f"raw/{name}", (2003, 2, 1, 0, 0, 0)), data, packing)
    return path
