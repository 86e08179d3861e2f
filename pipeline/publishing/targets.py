"""Decides for published files which name each gets, and which files may be overwritten or deleted.

A file is reel's only if the record in `job.json` holds the digest of its present bytes. Everything else belongs to
other people and stays: a media file of the run, by any path; a file with other bytes; a folder, a link, a pipe. The
result then gets a free name, which the record keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, Protocol

from pipeline.publishing.names import NameRules, alike, fitted, free_names


class FolderView(Protocol):
    """Access to the files of a folder; see `pipeline.publishing.folder_contents`."""

    def kind(self, name: str) -> Literal["nothing", "file", "media", "other"]: ...
    def size(self, name: str) -> int: ...
    def sha256(self, name: str) -> str: ...
    def is_unchanged(self, name: str) -> bool: ...


@dataclass(frozen=True)
class Published:
    """Content of a folder's record.

    `files` maps each name to every sha256 that reel has published under it. `lost` maps the names of corrections that
    exist only in the folder, and so stay, to their sha256. `renamed` maps names to the usual names that they replace.
    """

    files: Mapping[str, Set[str]] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RequestedFile:
    """File to be published, with its name as `stem` and `tail`. `accepted` are the digests of corrections that it
    contains, and so may replace."""

    stem: str
    tail: str
    sha256: str
    size: int
    accepted: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Return the name, even if it is too long for the disk."""
        return self.stem + self.tail


class Answer(Enum):
    """Decision about a file that is to be published."""

    CREATE = "no file has the name"
    REPLACE = "a file of reel's has the name, or one that the user allows to overwrite"
    THERE = "the file exists already, as reel published it"
    EDITED = "the user has edited the file that reel published, so it stays"
    SAME_AS_THEIRS = "a file of other people has the same content, so reel writes nothing"


@dataclass(frozen=True)
class Target:
    """Decision about a file: its `name`, and the `usual_name` that it would have without files of other people."""

    usual_name: str
    name: str
    answer: Answer


class Targets:
    """Decisions for one folder.

    With `replace`, files of other people with the same names are overwritten, but never media files of the run, nor
    anything that is not a regular file. The names in `reserved` are never chosen.
    """

    def __init__(
        self,
        published: Published,
        view: FolderView,
        rules: NameRules,
        *,
        replace: bool = False,
        reserved: Iterable[str] = (),
    ) -> None:
        self._published, self._view, self._rules, self._replace = published, view, rules, replace
        self._taken = {alike(name) for name in reserved}

    def choose(self, requested: RequestedFile) -> Target:
        """Choose the target of a file. No later file gets the same name."""
        usual_name = fitted(requested.stem, requested.tail, self._rules)
        for name in self._candidates(requested, usual_name):
            answer = None if alike(name) in self._taken else self._answer(name, requested)
            if answer is not None:
                self._taken.add(alike(name))
                return Target(usual_name, name, answer)
        raise AssertionError("free names do not end")

    def left_over(self, kept: Set[str] = frozenset()) -> list[str]:
        """Return the names of files of the earlier job that may be deleted, without the names in `kept`."""
        stay = {alike(name) for name in kept} | self._taken
        return [name for name in self._published.files if alike(name) not in stay and self._is_ours(name)]

    def _candidates(self, requested: RequestedFile, usual_name: str) -> Iterable[str]:
        if not self._replace:  # the name that the earlier job chose comes first
            for name, instead in self._published.renamed.items():
                if instead == usual_name and name in self._published.files and self._view.kind(name) == "file":
                    yield name
        yield from free_names(requested.stem, requested.tail, self._rules)

    def _answer(self, name: str, requested: RequestedFile) -> Answer | None:
        """Decide about one name; None if a file of other people has it."""
        view = self._view
        kind = view.kind(name)
        if kind != "file":
            return Answer.CREATE if kind == "nothing" else None
        is_same = view.size(name) == requested.size and view.sha256(name) == requested.sha256
        if name not in self._published.files:
            if is_same:
                return Answer.THERE if self._replace else Answer.SAME_AS_THEIRS
            return Answer.REPLACE if self._replace else None
        if is_same:
            return Answer.THERE
        return Answer.REPLACE if self._is_ours(name) or view.sha256(name) in requested.accepted else Answer.EDITED

    def _is_ours(self, name: str) -> bool:
        """Tell whether the file of a recorded name is one that reel published, and not a correction that exists only
        here."""
        view = self._view
        if view.kind(name) != "file" or view.sha256(name) == self._published.lost.get(name):
            return False
        return view.sha256(name) in self._published.files[name] or view.is_unchanged(name)
