"""Damage to the archive. Its checksums tell: what is read is the original, or the archive is refused by name; bombs are not inflated."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from damage_kinds import original, read, read_into, refusal, zip_of
from damage_oracle import CORPORA, FIXTURES, ORACLE, USUAL_SEEDS, Files


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
    for seed in range(USUAL_SEEDS):  # for each packing
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
from damage_kinds import read
from damage_oracle import CORPORA, FIXTURES
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
