"""Raw archives that nobody vouches for: zip or folder, whole or damaged, honest or not."""

import hashlib
import zipfile

import pytest

from dataset_builders.raw import archive
from dataset_builders.raw.archive import Archive, open_raw

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
