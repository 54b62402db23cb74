"""Repositories of the test Hub: blobs, commits that each keep the whole tree, branches and tags. All in memory."""

import codecs
import fnmatch
import hashlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

REGULAR_LIMIT = 10 * 1024 * 1024  # bytes; larger files must go through LFS
LFS_PATTERNS = """*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lz4 *.mds *.mlmodel *.model *.msgpack *.npy *.npz
    *.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors saved_model/**/* *.tar.* *.tar *.tflite *.tgz
    *.wasm *.xz *.zip *.zst *tfevents*""".split()  # noqa: SIM905
MEDIA_PATTERNS = "*.pcm *.flac *.mp3 *.ogg *.wav *.bmp *.gif *.png *.tiff *.jpg *.jpeg *.webp *.mp4 *.webm".split()  # noqa: SIM905
_ids = itertools.count(1)


class Refusal(Exception):
    """An answer with an error; the client maps `code` (X-Error-Code) to its own exceptions."""

    def __init__(self, status: int, message: str, code: str | None = None, headers: dict | None = None, **body):
        super().__init__(message)
        self.status, self.message, self.code, self.headers, self.body = status, message, code, headers or {}, body


@dataclass(frozen=True)
class Blob:
    content: bytes
    lfs: bool = False

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def pointer(self) -> bytes:
        """What git itself stores for an LFS file."""
        size = len(self.content)
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {size}\n".encode()

    @cached_property
    def git_oid(self) -> str:
        stored = self.pointer if self.lfs else self.content
        return hashlib.sha1(b"blob %d\0" % len(stored) + stored).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.git_oid


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: "Commit | None"
    title: str
    message: str
    author: str
    date: datetime
    files: Mapping[str, Blob]  # the whole tree

    def under(self, folder: str) -> dict[str, Blob]:
        """The files below a folder; "" for all."""
        prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
        return {path: blob for path, blob in self.files.items() if path.startswith(prefix)}

    def last_change(self, path: str) -> "Commit":
        """The latest commit, up to this one, that changed the file or anything below the folder."""
        commit = self
        while commit.parent and commit._at(path) == commit.parent._at(path):
            commit = commit.parent
        return commit

    def _at(self, path: str) -> dict[str, str]:
        return {name: blob.git_oid for name, blob in self.files.items() if name == path or name.startswith(f"{path}/")}


@dataclass
class Repository:
    """`files()`, `commits`, `tags` and `commit()` are what a test reads, and how it plays another client."""

    type: str  # model, dataset or space
    id: str
    private: bool = False
    gated: str | bool = False  # "auto" or "manual": only those in `accepted` may read
    accepted: set[str] = field(default_factory=set)  # tokens
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    branches: dict[str, Commit] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)  # to the oid of a commit
    history: dict[str, Commit] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)  # LFS objects by sha256

    def __post_init__(self):
        patterns = LFS_PATTERNS + (MEDIA_PATTERNS if self.type == "dataset" else [])
        attributes = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in patterns)
        self.apply({".gitattributes": Blob(attributes.encode())}, "initial commit")

    @property
    def namespace(self) -> str:
        return self.id.split("/")[0]

    @property
    def url(self) -> str:
        """The path of its page."""
        return f"/{self.id}" if self.type == "model" else f"/{self.type}s/{self.id}"

    @property
    def commits(self) -> list[Commit]:
        """Of `main`, newest first."""
        return self.log(self.branches["main"])

    @staticmethod
    def log(commit: Commit | None) -> list[Commit]:
        found = []
        while commit:
            found.append(commit)
            commit = commit.parent
        return found

    def at(self, revision: str) -> Commit:
        """The commit of a branch, a tag or an oid (its first seven digits will do)."""
        if revision in self.branches:
            return self.branches[revision]
        oid = self.tags.get(revision, revision)
        for known, commit in self.history.items():
            if known == oid or (len(oid) >= 7 and known.startswith(oid)):
                return commit
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def files(self, revision: str = "main") -> dict[str, bytes]:
        return {path: blob.content for path, blob in self.at(revision).files.items()}

    def commit(
        self, changes: Mapping[str, bytes | None], title: str = "another client", branch: str = "main"
    ) -> Commit:
        """Change files at once, past all checks; None deletes one."""
        files = dict(self.branches[branch].files)
        for path, content in changes.items():
            if content is None:
                del files[path]
            else:
                files[path] = Blob(content, lfs=self.wants_lfs(path, len(content), content[:512]))
                if files[path].lfs:
                    self.objects[files[path].sha256] = content
        return self.apply(files, title, branch=branch)

    def apply(self, files: Mapping[str, Blob], title: str, message: str = "", author="", branch="main") -> Commit:
        """A new commit with this tree becomes the head of the branch."""
        parent = self.branches.get(branch)
        oid = hashlib.sha1(f"{self.type} {self.id} {next(_ids)} {title}".encode()).hexdigest()
        commit = Commit(oid, parent, title, message, author, datetime.now(UTC), dict(sorted(files.items())))
        self.history[oid] = self.branches[branch] = commit
        return commit

    def wants_lfs(self, path: str, size: int, sample: bytes, branch: str = "main") -> bool:
        """By the patterns of .gitattributes, the size, and whether its first bytes are text."""
        if size > REGULAR_LIMIT or not is_text(sample):
            return True
        files = self.branches[branch].files if branch in self.branches else {}
        attributes = files[".gitattributes"].content.decode() if ".gitattributes" in files else ""
        patterns = [line.split()[0] for line in attributes.splitlines() if "filter=lfs" in line.split()]
        name = path.rsplit("/", 1)[-1]
        return any(fnmatch.fnmatchcase(path if "/" in pattern else name, pattern) for pattern in patterns)


def is_text(sample: bytes) -> bool:
    """No zero byte, and UTF-8 as far as it goes: the sample may end within a character."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return b"\0" not in sample


def check_path(path: str) -> None:
    parts = path.split("/")
    if not path or len(path) > 1000 or any(part in ("", ".", "..", ".git") for part in parts) or "\\" in path:
        raise Refusal(400, f"Invalid path in repo: {path!r}")


def check_name(name: str) -> None:
    if not re.fullmatch(r"\w[\w.-]{0,95}", name) or "--" in name or ".." in name or name.endswith((".git", ".", "-")):
        raise Refusal(400, f"Invalid repo name: {name!r}")


def check_tree(files: Mapping[str, Blob]) -> None:
    """A path cannot be a file and a folder at once."""
    for path in files:
        for i, letter in enumerate(path):
            if letter == "/" and path[:i] in files:
                raise Refusal(400, f"{path[:i]!r} is a file and cannot hold {path!r}")
