"""Decides where a file may be written and which file may be deleted, for everything that is published.

A file belongs to reel only if the record in `job.json` holds the digest of its current bytes. Every other file under a
name belongs to other people and stays: a film of the run, by whatever path; a file with other bytes; a folder, a link,
a pipe. The result then goes under a free name, which the record remembers.
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

    `files` holds each sha256 that reel has published under a name. `lost` are corrections that exist only in the
    folder, so that they stay. `renamed` maps names to the names that they replace.
    """

    files: Mapping[str, Set[str]] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RequestedFile:
    """File to be published.

    `stem` and `tail` make its name. `accepted` are digests of further contents that it may replace: corrections that
    were taken in.
    """

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

    CREATE = "nothing lies under the name"
    REPLACE = "a file of reel's lies under the name, or one that the user gives up"
    THERE = "the file is there already, as reel published it"
    EDITED = "a person has edited the file that reel published, so it stays"
    SAME_AS_THEIRS = "a file of other people has the same content, so reel writes nothing"


@dataclass(frozen=True)
class Target:
    """Target of a file: its `name`, and the `usual_name` name that it would have without files of other people."""

    usual_name: str
    name: str
    answer: Answer


class Targets:
    """Decisions for one folder.

    With `replace`, the user gives up files of other people that have the same names; films of the run, and everything
    that is not a regular file, stay all the same. `reserved` names are never chosen.
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
        """Return the files of an earlier job that reel may delete; `kept` names stay."""
        stay = {alike(name) for name in kept} | self._taken
        return [name for name in self._published.files if alike(name) not in stay and self._is_ours(name)]

    def _candidates(self, requested: RequestedFile, usual_name: str) -> Iterable[str]:
        if not self._replace:  # keeps the free name of the earlier job
            for name, instead in self._published.renamed.items():
                if instead == usual_name and name in self._published.files and self._view.kind(name) == "file":
                    yield name
        yield from free_names(requested.stem, requested.tail, self._rules)

    def _answer(self, name: str, requested: RequestedFile) -> Answer | None:
        """Decide about one name; None if it belongs to other people."""
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
        """Tell whether a recorded name holds a file that reel published, and not a correction that exists nowhere
        else."""
        view = self._view
        if view.kind(name) != "file" or view.sha256(name) == self._published.lost.get(name):
            return False
        return view.sha256(name) in self._published.files[name] or view.is_unchanged(name)
