"""Merge two statements about a model's bytes. A fact never replaces another fact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.base.errors import UsageError
from pipeline.model_cache.manifest import UNKNOWN, LockedFile, LockedModel, UnknownFile

File = LockedFile | UnknownFile
_FACTS = ("size", "sha256")  # in the order of `sure_facts`


@dataclass(frozen=True)
class Change:
    """A fact that a merge adds. `file` is empty for a fact about the model; an unknown value is None."""

    model: str
    file: str
    fact: str
    old: int | str | None
    new: int | str


def files_of(model: LockedModel) -> dict[str, File]:
    """Return all files of a model by name, with what is known of each."""
    return {**model.unknown, **model.files}


def sure_facts(file: File) -> tuple[int | None, str | None]:
    """Return a file's size and sha256 as far as they are certain."""
    return (file.size, file.sha256) if isinstance(file, LockedFile) else (file.sure_size, file.sure_sha256)


def differences(known: LockedModel, stated: LockedModel) -> Iterator[tuple[str, File, File | None]]:
    """Yield each file of which `stated` contradicts a certain fact of `known`, with the facts of both.

    Different revisions hold different files, so they contradict nothing. A complete statement also lists all files: a
    file that it lacks is yielded with None, unless only its name was known.
    """
    if known.revision != stated.revision:
        return
    stated_files = files_of(stated)
    for name, known_file in files_of(known).items():
        known_facts, stated_file = sure_facts(known_file), stated_files.get(name)
        if stated_file is None:
            if stated.resolved and any(fact is not None for fact in known_facts):
                yield name, known_file, None
        elif any(map(_differ, known_facts, sure_facts(stated_file))):
            yield name, known_file, stated_file


def _differ(first: int | str | None, other: int | str | None) -> bool:
    return first is not None and other is not None and first != other


def in_words(file: File | None) -> str:
    """Return a file's certain facts as part of a sentence."""
    if file is None:
        return "no such file"
    size, sha256 = sure_facts(file)
    parts = [f"{size} bytes" if size is not None else "no size", f"sha256 {sha256}" if sha256 else "no sha256"]
    return " and ".join(parts)


def merge_facts(
    locked: Mapping[str, LockedModel], more: Mapping[str, LockedModel]
) -> tuple[dict[str, LockedModel], list[Change]]:
    """Return the lock with what `more` knows beyond it, and the changes that this makes.

    Raises `UsageError` for a model that the lock does not hold, and for a fact that contradicts one of the lock.
    """
    merged, changes = dict(locked), list[Change]()
    for name, stated in more.items():
        if name not in locked:
            raise UsageError("models.facts", f"the facts are about a model `{name}`, which the lock does not hold")
        merged[name] = _merged(name, locked[name], stated, changes)
    return merged, changes


def _merged(name: str, known: LockedModel, stated: LockedModel, changes: list[Change]) -> LockedModel:
    if UNKNOWN not in (known.revision, stated.revision) and known.revision != stated.revision:
        raise UsageError(
            "models.facts", f"the facts are about {name} at {stated.revision}, the lock has it at {known.revision}"
        )
    if known.repo != stated.repo:
        raise UsageError("models.facts", f"the facts take {name} from {stated.repo}, the lock from {known.repo}")
    if known.revision == UNKNOWN != stated.revision:
        changes.append(Change(name, "", "revision", None, stated.revision))
    revision = stated.revision if known.revision == UNKNOWN else known.revision
    pinned = known.model_copy(update={"revision": revision})
    for file, known_file, stated_file in differences(pinned, stated.model_copy(update={"revision": revision})):
        raise UsageError(
            "models.facts",
            f"the facts contradict the lock about {file} of {name} at {revision}: {in_words(stated_file)},"
            f" and in the lock {in_words(known_file)}",
            hint="find out which of the two is wrong before you trust either",
        )
    files = files_of(known)
    for file, stated_file in files_of(stated).items():
        if stated_file.size is None and stated_file.sha256 is None:  # a name alone is a guess
            continue
        known_file = files.get(file, UnknownFile())
        files[file] = _merged_file(known_file, stated_file)
        changes += _changes(name, file, known_file, files[file])
    return LockedModel.model_validate(
        {
            "repo": known.repo,
            "revision": revision,
            "files": {file: entry.model_dump(exclude_defaults=True) for file, entry in files.items()},
        }
    )


def _changes(model: str, file: str, before: File, after: File) -> Iterator[Change]:
    """Yield the facts about a file that have a new value, or are certain now."""
    for fact in _FACTS:
        old, new = getattr(before, fact), getattr(after, fact)
        if old != new or (fact in _unsure(before) and fact not in _unsure(after)):
            yield Change(model, file, fact, old, new)


def _unsure(file: File) -> tuple[str, ...]:
    return file.one_place if isinstance(file, UnknownFile) else ()


def _merged_file(known: File, stated: File) -> File:
    """Return the facts of both: a certain fact goes before an uncertain one, a known fact before a stated one."""
    facts: dict[str, object] = {}
    unsure: list[str] = []
    for index, fact in enumerate(_FACTS):
        sure = [value for value in (sure_facts(known)[index], sure_facts(stated)[index]) if value is not None]
        any_value = [value for value in (getattr(known, fact), getattr(stated, fact)) if value is not None]
        facts[fact] = sure[0] if sure else any_value[0] if any_value else None
        if not sure and any_value:
            unsure.append(fact)
    if unsure or None in facts.values():
        return UnknownFile.model_validate({**facts, "one_place": tuple(unsure)})
    return LockedFile.model_validate(facts)
