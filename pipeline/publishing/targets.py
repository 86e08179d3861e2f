"""Decides where a file may be written and which file may be deleted, for all that publishes.

A file belongs to reel only where the record in `job.json` holds the very bytes that it has. Everything else that lies
under a name is of other people and stays: a film of the run, by whatever path; a file with other bytes; a folder, a
link, a pipe. What is to be published then goes under a free name, which the record remembers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, Protocol

from pipeline.publishing.names import NameRules, alike, fitted, free_names


class Sight(Protocol):
    """Knowledge of the files under the names of a folder; see `pipeline.publishing.looking`."""

    def kind(self, name: str) -> Literal["nothing", "file", "media", "other"]: ...
    def size(self, name: str) -> int: ...
    def sha256(self, name: str) -> str: ...
    def is_unchanged(self, name: str) -> bool: ...


@dataclass(frozen=True)
class Published:
    """Content of the record of a folder. `files`: each sha256 that reel has published under a name. `lost`: corrections
    that are in the folder and nowhere else, so that they stay. `renamed`: names to those that they stand in for."""

    files: Mapping[str, Set[str]] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """File to be published: `stem` and `tail` make its name, `accepted` are contents of reel's that it may replace
    beside those in the record: corrections that were taken in."""

    stem: str
    tail: str
    sha256: str
    size: int
    accepted: frozenset[str] = frozenset()


class Answer(Enum):
    """Answers to the question what becomes of a file that is to be published."""

    CREATE = "nothing lies under the name"
    REPLACE = "a file of reel's lies under the name, or one that the user gives up"
    THERE = "it lies there already, as reel published it"
    EDITED = "a person has edited what reel published, so that stays"
    SAME_AS_THEIRS = "a file of other people has the same content, so nothing is written"


@dataclass(frozen=True)
class Target:
    """Where a file goes, and the name `wanted` that it would have where no file of other people had that."""

    wanted: str
    name: str
    answer: Answer


class Targets:
    """Decides for one folder. With `replace`, the user gives up files of other people that are in the way; films of
    the run, and what is no regular file, stay all the same. Names that are `reserved` are never given."""

    def __init__(
        self,
        published: Published,
        sight: Sight,
        rules: NameRules,
        *,
        replace: bool = False,
        reserved: Iterable[str] = (),
    ) -> None:
        self._published, self._sight, self._rules, self._replace = published, sight, rules, replace
        self._taken = {alike(name) for name in reserved}

    def choose(self, wish: Wish) -> Target:
        """Decide where a file goes. No later file gets the same name."""
        wanted = fitted(wish.stem, wish.tail, self._rules)
        for name in self._candidates(wish, wanted):
            answer = None if alike(name) in self._taken else self._answer(name, wish)
            if answer is not None:
                self._taken.add(alike(name))
                return Target(wanted, name, answer)
        raise AssertionError("free names do not end")

    def left_over(self, kept: Set[str] = frozenset()) -> list[str]:
        """List what an earlier job left and this one does not have, and reel may delete: `kept` names stay."""
        stay = {alike(name) for name in kept} | self._taken
        return [name for name in self._published.files if alike(name) not in stay and self._is_ours(name)]

    def _candidates(self, wish: Wish, wanted: str) -> Iterable[str]:
        if not self._replace:  # it keeps the free name that it has got before
            for name, instead in self._published.renamed.items():
                if instead == wanted and name in self._published.files and self._sight.kind(name) == "file":
                    yield name
        yield from free_names(wish.stem, wish.tail, self._rules)

    def _answer(self, name: str, wish: Wish) -> Answer | None:
        """Decide about one name; None where it belongs to other people."""
        sight = self._sight
        kind = sight.kind(name)
        if kind != "file":
            return Answer.CREATE if kind == "nothing" else None
        is_same = sight.size(name) == wish.size and sight.sha256(name) == wish.sha256
        if name not in self._published.files:
            if is_same:
                return Answer.THERE if self._replace else Answer.SAME_AS_THEIRS
            return Answer.REPLACE if self._replace else None
        if is_same:
            return Answer.THERE
        return Answer.REPLACE if self._is_ours(name) or sight.sha256(name) in wish.accepted else Answer.EDITED

    def _is_ours(self, name: str) -> bool:
        """Tell whether a recorded name holds what reel published, and no correction that is nowhere else."""
        sight = self._sight
        if sight.kind(name) != "file" or sight.sha256(name) == self._published.lost.get(name):
            return False
        return sight.sha256(name) in self._published.files[name] or sight.is_unchanged(name)
