"""Raw archives that nobody vouches for: zip or folder, whole or damaged, honest or not."""

import bz2
import gzip
import hashlib
import lzma
import tarfile
import zipfile

import pytest

from rella_hub.corpora.raw import archive
from rella_hub.corpora.raw.archive import Archive, open_raw

FILES = {"users.dat": b"users\n", "movies.dat": b"movies\n"}
NAMES = list(FILES)


@pytest.fixture
def zipped(tmp_path):
    path = tmp_path / "ml.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in FILES.items():
            out.writestr(f"ml/{name}", data)
    return path


def read(path, name="users.dat", official=None):
    with open_raw(path, NAMES, official) as raw:
        return raw.read(name)


def official_of(path, **changes) -> Archive:
    data = path.read_bytes()
    checks = {"md5": hashlib.md5(data).hexdigest(), "sha256": hashlib.sha256(data).hexdigest()} | changes
    return Archive(url="http://nowhere/ml.zip", size=None, **checks)


def test_zip_and_folder_give_the_same_bytes(zipped, tmp_path):
    with zipfile.ZipFile(zipped) as packed:
        packed.extractall(tmp_path / "unpacked")
    for name, data in FILES.items():
        assert read(zipped, name) == data
        assert read(tmp_path / "unpacked", name) == data  # the folder that holds ml/
        assert read(tmp_path / "unpacked" / "ml", name) == data


def test_status_is_what_the_checksums_say(zipped, tmp_path):
    def status(path, official):
        with open_raw(path, NAMES, official) as raw:
            return raw.status

    assert status(zipped, official_of(zipped)) == "official"
    assert status(zipped, official_of(zipped, sha256=None)) == "official"
    assert status(zipped, official_of(zipped, sha256="0" * 64)) == "not official"
    assert status(zipped, official_of(zipped, sha256=None, md5="0" * 32)) == "not official"
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "users.dat").write_bytes(b"users\n")
    assert status(tmp_path / "folder", official_of(zipped)) == "unverified"


def test_the_hash_of_a_folder_is_that_of_its_files(tmp_path):
    hashes = []
    for data in (b"1", b"1", b"2"):
        folder = tmp_path / str(len(hashes))
        folder.mkdir()
        (folder / "users.dat").write_bytes(data)
        (folder / "unrelated.txt").write_text(str(folder))
        with open_raw(folder, NAMES, None) as raw:
            hashes.append(raw.sha256)
    assert hashes[0] == hashes[1] != hashes[2]


def test_nothing_at_the_path(tmp_path):
    with pytest.raises(ValueError, match=r"There is no .*gone\.zip.*--raw"):
        read(tmp_path / "gone.zip")


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_a_cut_off_zip(zipped, kept):
    data = zipped.read_bytes()
    zipped.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    with pytest.raises(ValueError, match=r"is not a whole zip archive.*get it again"):
        read(zipped)


def test_a_damaged_member(zipped):
    data = bytearray(zipped.read_bytes())
    start = data.index(b"ml/users.dat") + len("ml/users.dat")
    data[start : start + 3] = b"\xff\xff\xff"
    zipped.write_bytes(data)
    with pytest.raises(ValueError, match=r"users\.dat cannot be unpacked"):
        read(zipped)


def test_a_file_that_is_missing_or_double(zipped):
    with pytest.raises(ValueError, match=r"must hold ratings\.dat once, it holds it 0 times.*movies\.dat, users\.dat"):
        read(zipped, "ratings.dat")
    with zipfile.ZipFile(zipped, "a") as out:
        out.writestr("again/users.dat", b"other users\n")
    with pytest.raises(ValueError, match=r"must hold users\.dat once, it holds it 2 times"):
        read(zipped)


def test_a_folder_without_the_file(tmp_path):
    (tmp_path / "users.dat").write_bytes(b"users\n")
    with pytest.raises(ValueError, match=r"has no file movies\.dat\. It holds: users\.dat"):
        read(tmp_path, "movies.dat")


def test_a_folder_with_none_of_the_files(tmp_path):
    with pytest.raises(ValueError, match=r"holds none of users\.dat, movies\.dat"):
        read(tmp_path)


@pytest.mark.parametrize("climbing", ["../users.dat", "ml/../../users.dat", "/etc/users.dat", "..\\users.dat"])
def test_a_path_that_leads_out_of_the_zip(tmp_path, climbing):
    path = tmp_path / "ml.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr(climbing, b"users\n")
    with pytest.raises(ValueError, match="leads out of the archive"):
        read(path)
    assert [p.name for p in tmp_path.rglob("*")] == ["ml.zip"]


def test_a_member_that_claims_too_much_is_not_inflated(zipped, monkeypatch):
    data = zipped.read_bytes()
    size = len(FILES["users.dat"]).to_bytes(4, "little")
    claimed = (2**32 - 2).to_bytes(4, "little")
    directory = data.index(b"PK\x01\x02")  # the central directory, whose first entry is users.dat
    at = data.index(size, directory + 24)
    zipped.write_bytes(data[:at] + claimed + data[at + 4 :])
    monkeypatch.setattr(archive, "LARGEST_MEMBER", 2**31)
    with pytest.raises(ValueError, match=r"users\.dat claims 4,294,967,294 bytes, more than any real one"):
        read(zipped)


def test_a_member_never_gives_more_than_it_claims(tmp_path):
    """A bomb that lies about its size ends in an error, not in memory."""
    path = tmp_path / "ml.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("users.dat", b"0" * 10_000_000)
    data = path.read_bytes()
    path.write_bytes(data.replace((10_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    with pytest.raises(ValueError, match="cannot be unpacked"):
        read(path)


def test_an_encrypted_member(zipped):
    data = bytearray(zipped.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1  # the flag that says: encrypted
    zipped.write_bytes(data)
    with pytest.raises(ValueError, match=r"cannot be unpacked.*encrypted"):
        read(zipped)


def test_a_member_that_unpacks_to_hundreds_of_times_its_size_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("users.dat", b"0" * 3_000_000)
    assert len(read(path)) == 3_000_000  # small enough to do no harm
    monkeypatch.setattr(archive, "LARGEST_UNCHECKED", 1_000_000)
    with pytest.raises(ValueError, match=r"users\.dat claims to unpack from [\d,]+ to 3,000,000 bytes"):
        read(path)


def test_blocks_are_the_bytes(zipped, monkeypatch):
    monkeypatch.setattr(archive, "BLOCK", 4)
    with open_raw(zipped, NAMES, None) as raw:
        assert list(raw.blocks("movies.dat")) == [b"movi", b"es\n"]
        assert raw.read("movies.dat") == b"movies\n"


# As archives are found.


def pack(path, members: dict[str, bytes]):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members.items():
            out.writestr(name, data)
    return path


def spread(folder, members: dict[str, bytes]):
    for name, data in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def under(prefix: str) -> dict[str, bytes]:
    return {prefix + name: data for name, data in FILES.items()}


FOUND = {
    "at the top": under(""),
    "three folders deep": under("a/b b/ml-1m/"),
    "packed by Windows": under("ml-1m\\"),
    "in other letter cases": {"ML/USERS.DAT": FILES["users.dat"], "ML/Movies.dat": FILES["movies.dat"]},
    "packed by macOS": under("ml/") | {"__MACOSX/ml/._users.dat": b"\0\5\x16\7", "ml/.DS_Store": b"\0\0\0\1Bud1"},
    "with a shadow of each file": under("ml/") | under("__MACOSX/ml/"),
    "with a hidden backup": under("ml/") | under(".backup/"),
    "with a backup of another name": under("ml/") | {"ml/users.dat.bak": b"old\n", "ml/users.dat~": b"old\n"},
    "with letters of Unicode beside": under("ml/") | {"ml/liesmich für Müller.txt": b"hello"},
}


@pytest.mark.parametrize("case", FOUND)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_the_files_are_found_however_they_were_packed(case, packed, tmp_path):
    path = pack(tmp_path / "ml.zip", FOUND[case]) if packed else spread(tmp_path / "ml 1m", FOUND[case])
    for name, data in FILES.items():
        assert read(path, name) == data


def test_a_large_zip_is_read_in_its_64_bit_format(tmp_path):
    with zipfile.ZipFile(tmp_path / "ml.zip", "w") as out:
        for name, data in FILES.items():
            with out.open(name, "w", force_zip64=True) as member:
                member.write(data)
    assert read(tmp_path / "ml.zip") == FILES["users.dat"]


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_two_candidates_are_both_named(packed, tmp_path):
    members = under("ml-1m/") | under("backup/")
    path = pack(tmp_path / "ml.zip", members) if packed else spread(tmp_path / "ml", members)
    with pytest.raises(ValueError, match=r"holds it 2 times: (ml-1m|backup)/users\.dat and (ml-1m|backup)/users\.dat"):
        read(path)


def test_the_files_of_the_folder_itself_come_before_those_below(tmp_path):
    spread(tmp_path, under("") | {"older/users.dat": b"old users\n", "older/movies.dat": b"old movies\n"})
    assert read(tmp_path) == FILES["users.dat"]
    (tmp_path / "movies.dat").unlink()
    with pytest.raises(ValueError, match=r"holds it 2 times: older/users\.dat and users\.dat"):
        read(tmp_path)


def test_links_to_folders_are_followed_and_add_no_second_file(tmp_path):
    spread(tmp_path / "elsewhere", under(""))
    (tmp_path / "ml").mkdir()
    (tmp_path / "ml" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "ml" / "again").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "ml" / "loop").symlink_to(tmp_path / "ml", target_is_directory=True)
    assert read(tmp_path / "ml") == FILES["users.dat"]


NO_TABLE = {
    "a gzip file": gzip.compress(b"1::2::3::4\n"),
    "a bzip2 file": bz2.compress(b"1::2::3::4\n"),
    "an xz file": lzma.compress(b"1::2::3::4\n"),
    "a 7z archive": b"7z\xbc\xaf\x27\x1c\0\4",
    "a RAR archive": b"Rar!\x1a\x07\1\0",
    "a Zstandard file": b"\x28\xb5\x2f\xfd\0",
    "a PDF document": b"%PDF-1.7\n",
    "a web page": b"\r\n <!DOCTYPE html>\n<html><title>Sign in</title></html>",
    "an XML message": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    "a JSON text": b'{"error": "rate limit exceeded"}',
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 24594131\n",
    "a git-annex pointer": b"/annex/objects/SHA256E-s24594131--00.dat\n",
    "a Parquet file": b"PAR1\x15\4",
    "text in UTF-16": "1::2::3::4\n".encode("utf-16"),
    "text in UTF-16 without": "1::2::3::4\n".encode("utf-16-le"),
}


@pytest.mark.parametrize("what", NO_TABLE)
def test_what_is_no_archive_is_named_for_what_it_is(what, tmp_path):
    (tmp_path / "ml-1m.zip").write_bytes(NO_TABLE[what])
    with pytest.raises(ValueError, match=f"is not a whole zip archive, but .*{what}") as raised:
        read(tmp_path / "ml-1m.zip")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("what", NO_TABLE)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_what_is_no_table_is_named_for_what_it_is(what, packed, tmp_path):
    members = FILES | {"users.dat": NO_TABLE[what]}
    path = pack(tmp_path / "ml.zip", members) if packed else spread(tmp_path / "ml", members)
    with pytest.raises(ValueError, match=rf"users\.dat, line 1: the file is .*{what}"):
        read(path)


def test_a_tar_archive_is_named_also_when_it_is_compressed(tmp_path):
    spread(tmp_path / "ml", under(""))
    for name, mode, what in (("ml.tar", "w", "a tar archive"), ("ml.tgz", "w:gz", r"a gzip file \(.gz, .tgz\)")):
        with tarfile.open(tmp_path / name, mode) as out:
            out.add(tmp_path / "ml", "ml")
        with pytest.raises(ValueError, match=f"but {what}; unpack it and give the folder with --raw"):
            read(tmp_path / name)


def test_one_of_the_files_alone_is_not_enough(tmp_path):
    spread(tmp_path, under(""))
    with pytest.raises(ValueError, match=r"one of the files in it. Give the folder that holds users\.dat, movies\.dat"):
        read(tmp_path / "movies.dat")


def test_a_part_of_a_split_zip_is_named(zipped):
    data = zipped.read_bytes()
    last = data.rindex(b"PK\x05\x06")
    zipped.write_bytes(data[: last + 4] + b"\1\0\1\0" + data[last + 8 :])
    with pytest.raises(ValueError, match=r"the last part of a split one\. Join its parts"):
        read(zipped)
    zipped.write_bytes(b"PK\x07\x08" + data)
    with zipfile.ZipFile(zipped):
        pass  # readable all the same: only the mark of a first part stands before it
    zipped.write_bytes(b"PK\x07\x08" + data[:-30])
    with pytest.raises(ValueError, match="but a part of a split zip archive; join the parts"):
        read(zipped)


ELSEWHERE = {
    "ml-1m.zip": r"If the files are in ml-1m\.zip, unpack that",
    "users.dat.gz": r"Unpack users\.dat\.gz first",
    "users.csv": r"users\.csv is another form of it; give users\.dat as published",
}


@pytest.mark.parametrize("other", ELSEWHERE)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_another_form_of_a_missing_file_is_pointed_to(other, packed, tmp_path):
    members = {"movies.dat": FILES["movies.dat"], other: b"x"}
    path = pack(tmp_path / "ml.zip", members) if packed else spread(tmp_path / "ml", members)
    with pytest.raises(ValueError, match=ELSEWHERE[other]):
        read(path)


def test_an_encrypted_member_says_what_to_do(zipped):
    data = bytearray(zipped.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    zipped.write_bytes(data)
    with pytest.raises(ValueError, match="Unpack it with its password and give the folder"):
        read(zipped)


def test_a_folder_that_holds_only_the_archive_points_to_it(tmp_path):
    spread(tmp_path / "ml", {"ml-1m.zip": b"x"})
    with pytest.raises(ValueError, match=r"holds none of users\.dat, movies\.dat\. It holds: ml-1m\.zip"):
        read(tmp_path / "ml")


def test_a_name_that_would_break_the_line_is_shown_escaped(tmp_path):
    with pytest.raises(ValueError, match=r"must hold users\.dat once") as raised:
        read(pack(tmp_path / "ml.zip", {"a\nb\x1b.txt": b"x"}))
    assert str(raised.value).isprintable()
