"""Lists everything that a job was made from: input, models, tools, environments and parameters, with their digests."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import JsonValue

from pipeline.plan.registry import STAGES
from pipeline.publishing.run_report.html import Html, Part, element, table, together
from pipeline.publishing.run_report.job_facts import JobFacts, file_name

_LONGEST = 200  # characters of one parameter


def bill_of_materials(facts: JobFacts) -> Html:
    """Return the bill of materials."""
    return together(_input(facts), made_with(facts), _parameters(facts), _files(facts))


def made_with(facts: JobFacts) -> Html:
    """Return the part of the bill that is the same for many files: models, tools and environments."""
    return together(_models(facts), _tools(facts))


def _digest(value: object) -> Html:
    return element("code", str(value), class_="digest")


def _input(facts: JobFacts) -> Html:
    """Return the facts about the media file, without its folder, because the page may be sent to others."""
    job, media = facts.job, facts.media
    rows: list[tuple[Part, Part]] = [("File", file_name(job.media)), ("SHA-256", _digest(job.media_sha256))]
    if media:
        rows.append(("Container", media.container))
        for track in media.tracks:
            description = filter(None, [track.kind, track.codec, track.language, track.title])
            used = ", transcribed" if track.index == media.audio_track else ""
            rows.append((f"Track {track.index}", " ".join(description) + used))
    rows += [("Plan", _digest(job.plan))] if job.plan else []
    pairs = [together(element("dt", name), element("dd", value, dir="auto")) for name, value in rows]
    return together(element("h3", "Input"), element("dl", pairs, class_="facts"))


def _models(facts: JobFacts) -> Html | None:
    rows = list(_model_rows(facts))
    if not rows:
        return together(element("h3", "Models"), element("p", "None was used.", class_="soft"))
    head = ("Model", "Step", "Repository", "Commit", "Licence", "Lock", "Content")
    return together(element("h3", "Models"), table(head, rows, "Models"))


def _model_rows(facts: JobFacts) -> Iterator[tuple[Part, ...]]:
    for step, record in facts.job.steps.items():
        result, used, origins = facts.results.get(step), record.get("models"), record.get("locked")
        for role, name in used.items() if isinstance(used, dict) else ():
            digests = result.ingredients.get("models") if result else None
            digest = digests.get(role) if isinstance(digests, dict) else None
            locked = facts.materials.locked_entry(str(name), digest)
            origin = origins.get(str(name)) if isinstance(origins, dict) else None
            commit: Part = element("code", locked.revision) if locked else "not that of the present lock"
            yield (
                str(name), step, (locked.repo if locked else None) or "-", commit,
                facts.job.licences.get(str(name), ""), str(origin or ""),
                element("code", str(digest or "")[:12], class_="short"),
            )  # fmt: skip


def _tools(facts: JobFacts) -> Html:
    tools: dict[tuple[str, str], list[str]] = {}
    environments: dict[tuple[str, str], list[str]] = {}
    for step, result in facts.results.items():
        used = result.ingredients.get("tools")
        for name, version in used.items() if isinstance(used, dict) else ():
            tools.setdefault((name, str(version)), []).append(step)
        family = _family(str(result.ingredients["stage"]), str(result.ingredients["backend"]))
        environments.setdefault((family, str(result.ingredients.get("environment"))), []).append(step)
    rows: list[tuple[Part, ...]] = [
        ("tool", name, version, ", ".join(steps)) for (name, version), steps in sorted(tools.items())
    ]
    rows += [
        ("environment", name, _digest(digest), ", ".join(steps))
        for (name, digest), steps in sorted(environments.items())
    ]
    head = ("Kind", "Name", "Version or digest", "Steps")
    return together(element("h3", "Tools and environments"), table(head, rows, "Tools and environments"))


def _family(stage: str, backend: str) -> str:
    """Return the declared environment of a backend; on a card it may compute in another one."""
    declared = STAGES[stage].backends.get(backend) if stage in STAGES else None
    return declared.environment if declared else "unknown"


def _parameters(facts: JobFacts) -> Html:
    parts = []
    for step, result in facts.results.items():
        parts_of_key = result.ingredients
        stage, version, backend = (parts_of_key[name] for name in ("stage", "version", "backend"))
        title = element("summary", f"{step}: {stage} version {version}, {backend}")
        values = {name: parts_of_key[name] for name in ("device", "torch", "sources") if parts_of_key.get(name)}
        for name in ("params", "options"):
            chosen = parts_of_key.get(name)
            values |= chosen if isinstance(chosen, dict) else {}
        pairs = [together(element("dt", name), element("dd", _value(value))) for name, value in values.items()]
        key = together(element("dt", "result"), element("dd", _digest(result.key)))
        parts.append(element("details", title, element("dl", pairs, key, class_="facts")))
    return together(element("h3", "Parameters"), parts)


def _value(value: JsonValue) -> Html:
    shown = json.dumps(value, ensure_ascii=False)
    return element("code", shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}... ({len(shown)} characters)")


def _files(facts: JobFacts) -> Html | None:
    job = facts.job
    rows = [(name, job.origins.get(name, ""), _digest(digest)) for name, digest in job.files.items()]
    if not rows:
        return None
    return together(element("h3", "Files"), table(("File", "Shows", "SHA-256"), rows, "Published files"))
