"""Lock models at first use: ask the hub for the facts that the shipped lock lacks, compare them with all known facts,
show them in one line, and write them to the overlay. From then on, the model must have these bytes.
"""

from __future__ import annotations

import fnmatch
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from pipeline.base import events
from pipeline.base.errors import Missing, ReelError, UsageError
from pipeline.base.events import Emit, Event, Notice
from pipeline.model_cache.access import refused_access
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.facts import files_of
from pipeline.model_cache.manifest import UNKNOWN, LockedModel
from pipeline.model_cache.overlay import LocalEntry, update_overlay

_ASKED_AT_ONCE = 4  # a hub limits the number of requests
_CODE = ".py"


@dataclass(frozen=True)
class LookupResult:
    """The facts that the hub has stated, by model, and the errors for the other models."""

    found: Mapping[str, LockedModel] = field(default_factory=dict)
    failed: Mapping[str, Missing] = field(default_factory=dict)


def unlocked(names: Iterable[str], cache: ModelCache) -> list[str]:
    """Return those of the models whose bytes no lock knows completely."""
    return [name for name in names if not cache.locked[name].resolved and name not in cache.overlay.conflicts]


def refusal_of(name: str, cache: ModelCache, *, offline: bool) -> Missing | None:
    """Return why a model may not be locked at first use; None if it may. Makes no request."""
    why = "the setting `offline` forbids asking the hub" if offline else cache.overlay.refused
    if not why:
        return None
    hint = (
        f"with a network, run `./reel models fetch {name}`"
        if offline
        else f"`./reel models fetch {name} --no-locked` lets this machine lock it"
    )
    return Missing("model.unresolved", f"{cache.unresolved(name)}, and {why}", hint=hint)


def look_up(names: Sequence[str], cache: ModelCache, emit: Emit, revision: str | None = None) -> LookupResult:
    """Ask the hub for the facts of these models, after the permission to read the gated ones. Writes nothing.

    `revision` is a branch, a tag or a commit; None stands for the locked revision, or for `main` if none is locked.
    """
    from pipeline.model_cache.lock_models import resolve_model  # HTTP takes 40 ms, and most commands ask nothing

    if not names:
        return LookupResult()
    what = f"the facts of model {names[0]}" if len(names) == 1 else f"the facts of {len(names)} models"
    emit_once, started, guard, done = _without_repeats(emit), time.monotonic(), threading.Lock(), 0
    emit(events.SetupStarted(what))
    failed: dict[str, Missing] = dict(refused_access(names, cache, emit_once))

    def ask(name: str) -> LockedModel | Missing:
        nonlocal done
        try:
            return resolve_model(name, revision, cache, emit_once)
        except ReelError as error:
            return error if isinstance(error, Missing) else Missing(error.code, error.message, hint=error.hint)
        finally:
            with guard:
                done += 1
                emit(events.SetupProgress(what, done, len(asked)))

    asked = [name for name in names if name not in failed]
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        answers = dict(zip(asked, pool.map(ask, asked), strict=True))
    found = {name: answer for name, answer in answers.items() if isinstance(answer, LockedModel)}
    failed |= {name: answer for name, answer in answers.items() if isinstance(answer, Missing)}
    if found or not failed:
        emit(events.SetupFinished(what, time.monotonic() - started))
    else:
        emit(events.SetupFailed(what, next(iter(failed.values())).code))
    return LookupResult(found, {name: failed[name] for name in names if name in failed})


def may_bring_code(name: str, cache: ModelCache) -> bool:
    """Tell whether a model is known to bring Python code, which runs when the model is used."""
    return any(file.endswith(_CODE) for file in files_of(cache.locked[name]))


def code_to_accept(found: Mapping[str, LockedModel], cache: ModelCache) -> dict[str, LockedModel]:
    """Return the models that bring Python code that is not accepted yet."""
    return {
        name: model
        for name, model in found.items()
        if any(file.endswith(_CODE) for file in model.files)
        and not any(fnmatch.fnmatchcase(name, pattern) for pattern in cache.overlay.accepts_code)
    }


def shown_code(models: Mapping[str, LockedModel], cache: ModelCache) -> str:
    """Return the Python files of these models as text: each with its size, sha256 and address."""
    from pipeline.model_cache.fetch.hub import address_of

    lines = []
    for name, model in models.items():
        lines.append(f"{name} brings Python code of its own, which runs on this machine when the model works:")
        for file, entry in sorted(model.files.items()):
            if file.endswith(_CODE):
                lines.append(f"  {file}  {entry.size} bytes  sha256 {entry.sha256[:16]}")
                lines.append(f"    {address_of(cache.hub, str(model.repo), model.revision, file)}")
    return "\n".join(lines)


def lock_found(found: Mapping[str, LockedModel], cache: ModelCache, emit: Emit, stated_by: str = "") -> None:
    """Write facts to the overlay and to the cache's lock, and notify the user of each model. `stated_by` names the
    source of the facts if it is not the hub. Raises `Missing`."""
    folder = cache.overlay.folder
    if not found:
        return
    if folder is None:
        raise UsageError("models.here", "this cache has no place for what is locked here")
    hub = stated_by or hub_name(cache.hub)
    update_overlay(folder, {name: _entry(cache.overlay.shipped.get(name), model, hub) for name, model in found.items()})
    for name, model in found.items():
        emit(Notice(None, None, f"model {name} {_description(cache.locked[name], model, hub)}"))
    cache.locked = {**cache.locked, **found}
    conflicts = {name: conflict for name, conflict in cache.overlay.conflicts.items() if name not in found}
    cache.overlay = replace(cache.overlay, names=cache.overlay.names | set(found), conflicts=conflicts)


def _entry(shipped: LockedModel | None, found: LockedModel, hub: str) -> LocalEntry:
    given_up = shipped.revision if shipped and UNKNOWN != shipped.revision != found.revision else None
    return LocalEntry(hub=hub, instead_of=given_up, repo=found.repo, revision=found.revision, files=found.files)


def lock_first(names: Iterable[str], cache: ModelCache, emit: Emit, *, offline: bool) -> dict[str, Missing]:
    """Lock the models whose bytes are not known yet. Return the errors of those that were not locked, by model."""
    new = unlocked(names, cache)
    failed = {name: refused for name in new if (refused := refusal_of(name, cache, offline=offline))}
    looked_up = look_up([name for name in new if name not in failed], cache, emit)
    code = code_to_accept(looked_up.found, cache)
    lock_found({name: model for name, model in looked_up.found.items() if name not in code}, cache, emit)
    return failed | {**looked_up.failed} | {name: not_accepted(name, model) for name, model in code.items()}


def not_accepted(name: str, model: LockedModel) -> Missing:
    """Return the error for a model with code that is not accepted."""
    files = ", ".join(sorted(file for file in model.files if file.endswith(_CODE)))
    return Missing(
        "model.code-unaccepted",
        f"the model {name} brings Python code of its own ({files}), and it is not accepted on this machine",
        hint=f"`./reel models fetch {name}` shows the files at a terminal and asks; a script says"
        f" `./reel models fetch {name} --accept-code {name}`",
    )


def hub_name(address: str) -> str:
    """Return the name of a hub for people: its host."""
    return urllib.parse.urlsplit(address).netloc or address


def _description(before: LockedModel, now: LockedModel, hub: str) -> str:
    """Return how a model was locked, as the end of a sentence about it."""
    files = "1 file" if len(now.files) == 1 else f"{len(now.files)} files"
    branch = ", the commit of `main` today" if before.revision == UNKNOWN else ""
    return f"locked at first use: {files} at {now.revision[:12]}, as {hub} states them{branch}"


def _without_repeats(emit: Emit) -> Callable[[Event], None]:
    """Return a function that passes events to `emit`, and each notice once: many models give the same about a token."""
    emitted: set[str] = set()
    guard = threading.Lock()

    def emit_once(event: Event) -> None:
        with guard:
            if isinstance(event, Notice) and event.text in emitted:
                return
            emitted.add(event.text if isinstance(event, Notice) else "")
        emit(event)

    return emit_once
