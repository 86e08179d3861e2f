"""Applies drafts: makes the job that takes the corrections in and makes the files again, with the same settings."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from pipeline.publishing.beside import is_job_folder, place_of
from pipeline.publishing.edit_order import EditOrder, OrderedEdit
from pipeline.publishing.edits import Changed, EditStore, changed_files
from pipeline.publishing.record import Job
from pipeline.store.results import ResultStore
from pipeline.web.job_queue import NewJob
from pipeline.web.refused import Refused
from pipeline.web.review.corrected_files import changed_items, corrected_files, order_path
from pipeline.web.review.drafts import Applying, OpenDraft
from pipeline.web.review.operations import track_of
from pipeline.web.review.review_base import ReviewBase
from pipeline.web.review.reviews import Reviews
from shared.files import is_intact, write_atomically

_SOURCE, _PRIORITY = "review", 1.0  # a person waits for the result
_SHOWN_BYTES = 2 << 20
WINNERS = ("page", "file")


@dataclass(frozen=True)
class Applied:
    """The job for a draft, and what is noted of the draft once the job is queued."""

    job: NewJob
    attempt: Applying


def apply_draft(draft: OpenDraft, reviews: Reviews, edits: EditStore, on_disk: str | None) -> Applied:
    """Write the order that applies a draft. Raises `Refused`.

    `on_disk` says which text wins where a published file was edited as well, `page` or `file`; None: that is refused.
    """
    base, record = draft.base, _record(draft.base, reviews)
    if draft.note.applying:
        raise Refused(409, "review.applying", "the draft is being applied")
    attempt, made = corrected_files(draft, "")
    if not made:
        raise Refused(409, "review.nothing", "the draft holds no change that is not applied")
    changed = changed_files(Path(base.folder), edits.of(base.media_sha256), reviews.store)
    if changed and on_disk is None:
        raise _changed_on_disk(draft, changed, record, reviews.store)
    others = tuple(_kept(draft, one) for one in changed)
    groups = [made, others] if on_disk == "file" else [others, made]
    order = EditOrder(media=base.media_sha256, takes=tuple(group for group in groups if group))
    return Applied(_job(base, record, order, order_path(draft), reviews.store), attempt)


def drop_order(base: ReviewBase, reviews: Reviews, folder: Path, pins: dict[str, tuple[str, ...]] | None) -> NewJob:
    """Write an order into `folder` that drops all corrections of a media file, or single pins by the digests of their
    corrections. Return the job that makes the files again."""
    record = _record(base, reviews)
    order = EditOrder(media=base.media_sha256, drops_all=pins is None, pins=pins or {})
    digest = hashlib.sha256(order.as_text().encode()).hexdigest()
    return _job(base, record, order, (folder / f"drop-{digest[:16]}.json").absolute(), reviews.store)


def _job(base: ReviewBase, record: Job, order: EditOrder, path: Path, store: ResultStore) -> NewJob:
    """Write the order to `path`. Return the job that makes the files of a folder again, with the settings of the run
    that made them.

    That includes its glossary as it was: a term that was added since would have all of the film recognised again.
    """
    media, folder = Path(base.media), Path(base.folder)
    settings = record.settings or {"to": _targets(record)}
    if glossary := settings.get("glossary"):
        order = order.model_copy(update={"settings": {"glossary": glossary}})
        settings = {**settings, "glossary": str(_glossary_then(record, store) or glossary)}
    path.parent.mkdir(parents=True, exist_ok=True)
    order.write(path)
    overrides: dict[str, JsonValue] = {**settings, "recipe": record.recipe, "profile": record.profile}
    place = "beside" if is_job_folder(folder) else str(folder.parent)
    same = hashlib.sha256(f"{folder}|{order.as_text()}".encode()).hexdigest()
    return NewJob(media, media.name, overrides, place, _SOURCE, same, _PRIORITY, path)


def _glossary_then(record: Job, store: ResultStore) -> Path | None:
    """Return the content of the glossary that a job was made with; None if it is not kept."""
    for facts in record.steps.values():
        inputs = (store.ingredients(str(facts.get("key"))) or {}).get("inputs")
        digest = inputs.get("glossary") if isinstance(inputs, dict) else None
        if isinstance(digest, str) and store.object_path(digest).is_file():
            return store.object_path(digest).absolute()
    return None


def _targets(record: Job) -> list[JsonValue]:
    """Return the target languages of a job from a release that kept no settings, from the names of its steps."""
    return list(dict.fromkeys(step.partition(":")[2] for step in record.steps if ":" in step))


def _record(base: ReviewBase, reviews: Reviews) -> Job:
    record = reviews.record(base)
    if record is None:
        raise Refused(410, "review.gone", "the published files are not there any more", "run the file again")
    if not reviews.is_there(base):
        hint = "put it back where it was, or upload it and review the new results"
        raise Refused(410, "media.missing", f"the media file {base.media} is not there any more", hint)
    if record.media_sha256 != base.media_sha256:
        text = "the folder holds the results of another media file now"
        raise Refused(409, "review.media-changed", text, "discard the draft to review those")
    return record


def _kept(draft: OpenDraft, changed: Changed) -> OrderedEdit:
    """Copy an edited file into the draft, since it may be edited again before the job begins."""
    content = changed.path.read_bytes()
    copy = draft.folder / hashlib.sha256(content).hexdigest()
    if not copy.exists():
        write_atomically(copy, content)
    before, source = (str(path.absolute()) if path else None for path in (changed.before, changed.source))
    return OrderedEdit(
        name=changed.path.name, origin=changed.origin, path=str(copy.absolute()), before=before,
        language=changed.language, source=source,
    )  # fmt: skip


def _changed_on_disk(draft: OpenDraft, changed: Sequence[Changed], record: Job, store: ResultStore) -> Refused:
    """Return the refusal that shows both texts."""
    origins = [one.origin for one in changed]
    if twice := next((origin for origin in origins if origins.count(origin) > 1), None):
        names = " and ".join(one.path.name for one in changed if one.origin == twice)
        text = f"{names} were both edited, and contain the same subtitles"
        return Refused(
            409, "edits.two", text, f"keep the one that is right, and delete the other in {draft.base.folder}"
        )
    digests = {place_of(Path(draft.base.folder), name): digest for name, digest in record.files.items()}
    tracks = {track.origin: track.id for track in draft.base.tracks}
    start, now = draft.journal.at(0), draft.journal.draft
    files: list[dict[str, object]] = []
    for one in changed:
        track = tracks.get(one.origin)
        digest = digests.get(one.path)
        published = store.object_path(digest) if digest and is_intact(store.object_path(digest), digest) else None
        files.append({
            "name": one.path.name, "track": track, "published": _text(published) if published else None,
            "on_disk": _text(one.path),
            "draft": [
                {"id": name, "before": _data(start.get(name)), "after": _data(now.get(name))}
                for name in changed_items(start, now) if track is None or track_of(name) == track
            ],
        })  # fmt: skip
    names = ", ".join(one.path.name for one in changed)
    return Refused(
        409, "review.changed-on-disk", f"edited since it was published: {names}",
        "send `on_disk`: `page` or `file` says whose text wins where both changed the same place",
        more={"files": files},
    )  # fmt: skip


def _data(item: object) -> object:
    dump = getattr(item, "model_dump", None)
    return dump(mode="json") if dump else None


def _text(path: Path) -> str:
    with open(path, "rb") as stream:
        return stream.read(_SHOWN_BYTES).decode("utf-8-sig", "replace")
