"""What a file is when it is not the file that was wanted: a web page, a pointer, another kind of archive, another encoding."""

from __future__ import annotations

HEAD = 4096  # bytes that are looked at
LAST_RECORD = b"PK\x05\x06"  # of a zip archive
TAIL = 22 + 65_535  # bytes in which it begins: its own, and the longest comment

UNPACK = "unpack it and give the folder with --raw"
AGAIN = "download the file itself"
MARKS = {
    b"\x1f\x8b": f"a gzip file (.gz, .tgz); {UNPACK} (tar -xzf, or gunzip)",
    b"BZh": f"a bzip2 file; {UNPACK} (tar -xjf, or bunzip2)",
    b"\xfd7zXZ\0": f"an xz file; {UNPACK} (tar -xJf, or unxz)",
    b"\x28\xb5\x2f\xfd": f"a Zstandard file; {UNPACK} (zstd -d)",
    b"7z\xbc\xaf\x27\x1c": f"a 7z archive; {UNPACK} (7z x)",
    b"Rar!\x1a\x07": f"a RAR archive; {UNPACK} (unrar x)",
    b"PK\x07\x08": "a part of a split zip archive; join the parts (zip -s 0 parts.zip --out whole.zip) and give the whole",
    b"PK\x03\x04": f"a zip archive inside; {UNPACK}",
    b"PK\x05\x06": f"a zip archive of no files; {AGAIN}",
    b"%PDF-": f"a PDF document; {AGAIN}",
    b"PAR1": "a Parquet file; give the files as published",
    b"SQLite format 3\0": "an SQLite database; give the files as published",
    b"\x89PNG": f"a picture; {AGAIN}",
    b"version https://git-lfs": "a Git LFS pointer, which only says where the file lies; fetch the file (git lfs pull)",
    b"\xff\xfe\0\0": "text in UTF-32; give the file as published",
    b"\xff\xfe": "text in UTF-16, as Windows PowerShell writes it; give the file as published",
    b"\xfe\xff": "text in UTF-16; give the file as published",
}


def recognized(head: bytes) -> str | None:
    """In words, with what to do, what begins like this; None for what may be a table. head: the first bytes, up to `HEAD`."""
    for mark, what in MARKS.items():
        if head.startswith(mark):
            return what
    if head[257:262] == b"ustar":
        return f"a tar archive; {UNPACK} (tar -xf)"
    if len(head) > 3 and (head[0] == head[2] == 0 or head[1] == head[3] == 0):
        return "text in UTF-16 without a byte order mark, or no text at all; give the file as published"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return f"a web page or an XML message, as a server answers with an error or a log-in; {AGAIN}"
    if text.startswith((b"{", b"[")):
        return f"a JSON text, as a server answers with an error; {AGAIN}"
    if len(head) < HEAD and b"annex/objects/" in head:
        return "a git-annex pointer, which only says where the file lies; fetch the file (git annex get)"
    return None


def is_last_of_split_zip(tail: bytes) -> bool:
    """Whether a zip archive that ends like this has earlier parts. tail: the last bytes, up to `TAIL`."""
    at = tail.rfind(LAST_RECORD)
    return at >= 0 and int.from_bytes(tail[at + 4 : at + 6], "little") not in (0, 0xFFFF)
