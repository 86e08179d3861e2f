"""Prepares items from requests: each gets a name, a plan, its corrections and a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.base import events
from pipeline.base.display_paths import as_text, shown
from pipeline.base.errors import BadInput, Missing, UsageError
from pipeline.base.events import Emit
from pipeline.base.setting_names import SHORT_NAMES
from pipeline.base.settings import overrides_of
from pipeline.engine.item import Item
from pipeline.engine.library.chosen_subtitle import check_one_film, media_as_subtitle
from pipeline.engine.media_list import Request
from pipeline.engine.model_needs import plan_with_locked_models
from pipeline.engine.planner import Planner
from pipeline.engine.preview import StepPreview, preview, published_before
from pipeline.engine.project import Records
from pipeline.plan.make_plan import single_step
from pipeline.plan.model import ExistingSubtitle, Plan
from pipeline.plan.registry import stage_named
from pipeline.plan.result_key import KeyContext
from pipeline.publishing.batch_media import BatchMedia
from pipeline.publishing.beside import job_folder
from pipeline.publishing.corrected_plan import CORRECT, with_edits
from pipeline.publishing.edit_order import carry_out
from pipeline.publishing.edits import Edit, changed_files
from pipeline.publishing.folders import Folders, OutputDisk
from pipeline.publishing.names import NameRules
from pipeline.publishing.publish import PublishedFiles, Rules
from pipeline.publishing.record import Job
from pipeline.publishing.run_report.job_facts import Materials
from pipeline.publishing.run_report.published import report_of
from pipeline.publishing.up_to_date import PublishedJob, UpToDateCache, plan_digest, state_of
from pipeline.store.results import StoredResult
from shared.text.subtitle_names import is_subtitle

_SPOKEN = SHORT_NAMES["language"]


class Admission:
    """Prepares items from requests: each gets a name, a plan and a folder of its own. Raises `BadInput` and
    `UsageError`."""

    def __init__(
        self, planner: Planner, records: Records, key_context: KeyContext, output: Path, batch: BatchMedia,
        emit: Emit | None = None, *, takes_edits: bool = False,
    ) -> None:  # fmt: skip
        """Prepare for the media files of `batch`, whose results are published in `output` or beside the files.

        `emit` is given when a run begins: the output folder is then tested by writing to it, and models without a lock
        entry are locked when a plan needs them. With `takes_edits`, published files that the user edited become
        corrections.
        """
        self.key_context = key_context
        self._planner, self._records, self._output = planner, records, output
        self._batch, self._emit, self._takes_edits = batch, emit, takes_edits
        self._disk = OutputDisk(try_it=emit is not None)
        self._names: set[str] = set()
        self._beside, self._replace = planner.settings.beside, planner.settings.replace
        self._folders = Folders(None if self._beside else output, batch, replace=self._replace)
        self._plans: dict[tuple[str, ExistingSubtitle | None], Plan] = {}
        self.unlocked: dict[str, Missing] = {}
        self._digests: dict[int, str] = {}
        self._up_to_date = UpToDateCache(records.store)
        self.plan_for(Request(Path()))  # reports a mistake that concerns every file before the first file

    def check(self, requests: Iterable[Request]) -> None:
        """Raise `UsageError` for invalid settings of any file, before the first file is worked on."""
        requests = list(requests)
        check_one_film(self._planner.settings, sum("subtitles" not in request.overrides for request in requests))
        for request in requests:
            try:
                self.plan_for(request)
            except UsageError as error:
                raise UsageError(error.code, f"{shown(request.media)}: {error.message}", hint=error.hint) from error

    def check_result(self, request: Request) -> None:
        """Raise `BadInput` if the plan of a media file would publish nothing, for lack of an existing subtitle."""
        plan = self.plan_for(request)
        if not plan.publications and not plan.partial:
            raise BadInput(
                "subtitles.needed",
                f"the recipe {plan.recipe} works on an existing subtitle of {shown(request.media)}, and none was found",
                hint="name it after `--subtitles`, or use `./reel sync FILM SUBTITLE`",
            )

    def plan_for(self, request: Request) -> Plan:
        """Return the plan for a media file. All files with the same settings share one plan."""
        overrides = json.dumps(request.overrides, sort_keys=True) if request.overrides else ""
        key = overrides, self._subtitle_of(request)
        if key not in self._plans:
            self._plans[key] = plan_with_locked_models(self._planner_for(request), self._emit, self.unlocked)
        return self._plans[key]

    def _planner_for(self, request: Request) -> Planner:
        planner = self._planner.with_overrides(request.overrides) if request.overrides else self._planner
        return replace(planner, subtitle=self._subtitle_of(request))

    def _subtitle_of(self, request: Request) -> ExistingSubtitle | None:
        """Return the existing subtitle to use instead of recognition: the media file itself, if it is one."""
        if request.subtitle or not is_subtitle(request.media.name):
            return request.subtitle
        language = request.overrides.get(_SPOKEN) or self._planner.settings.stages.get("asr", {}).get("language")
        return media_as_subtitle(request.media.name, str(language) if language else None)

    def item(self, request: Request, digest: str, index: int = 0) -> Item:
        """Return the item, with a folder that no other file of this run has."""
        plan = self.plan_for(request)
        media = request.media
        names = self._disk.rules(media.parent if self._beside else self._output, media)
        folder = self._folders.take(media, digest, names)
        if self._beside:
            self._disk.check_beside(media, folder)
        else:
            self._disk.check(folder)
        name = self.name(request.media)
        order = carry_out(request.order, digest, self._records.edits, folder) if request.order else None
        if edits := self._edits(name, digest, folder, plan):
            options = self._planner_for(request).options()
            plan = with_edits(plan, edits, lambda inputs: single_step(stage_named(CORRECT), options, inputs, None))
            decided_by = plan_digest(plan, self._planner.models.models, self.key_context)
        else:
            decided_by = self._digest_of(plan)
        rules = self._rules(request, digest, names)
        if order:
            rules = replace(rules, settings={**rules.settings, **order.settings})
        return Item(name, request.media, digest, plan, folder, index, request.priority, edits, decided_by, rules)

    def _rules(self, request: Request, digest: str, names: NameRules) -> Rules:
        """Return the conditions for publishing the results of a media file."""
        media = request.media
        self._batch.add(media)
        states = self._up_to_date.states(media)

        def untouched(path: Path) -> bool:
            state = states.get(str(path))
            return state is not None and state == state_of(str(path))

        return Rules(
            self._records.store, self._planner.models.models, self._batch, names,
            elsewhere=lambda taken: self._folders.take_other(taken, media, digest, names),
            untouched=untouched, replace=self._replace, beside=self._beside, has=self._existing_languages(request),
            foreign_record=self._folders.foreign_records.get(media), origin=self._planner.models.overlay.origin,
            report=self._report(request),
            settings=overrides_of(self._planner_for(request).settings),
        )  # fmt: skip

    def _wants_report(self, request: Request) -> bool:
        return bool(request.overrides.get("report", self._planner.settings.report))

    def _report(self, request: Request) -> Callable[[Job, Mapping[str, StoredResult], Path], bytes] | None:
        """Return the function that writes the report on a job; None if the settings ask for no report."""
        if not self._wants_report(request):
            return None
        materials = Materials(self._records.store, self._planner.models)
        return lambda job, results, folder: report_of(job, results, materials, folder)

    def _existing_languages(self, request: Request) -> tuple[str, ...]:
        """Return the languages of existing subtitles, with that of a subtitle that is used instead of recognition."""
        subtitle = self._subtitle_of(request)
        return (*request.has, subtitle.language) if subtitle and subtitle.language else request.has

    def _edits(self, name: str, digest: str, folder: Path, plan: Plan) -> tuple[Edit, ...]:
        """Return the corrections of a media file, with those that are due now. A plan that publishes nothing does not
        overwrite edited files, so they do not become corrections then."""
        edits = self._records.edits.of(digest)
        if not self._takes_edits or plan.partial:
            return edits
        changed = changed_files(folder, edits, self._records.store)
        if not changed:
            return edits
        edits = self._records.edits.take_in(digest, changed)
        names = [file.path.name for file in changed]
        text = f"{name}: taken in as corrections: {', '.join(names)}; `./reel edits drop` undoes that"
        if self._emit:
            self._emit(events.Notice(None, None, text))
        return edits

    def was_published(self, request: Request) -> bool:
        """Tell whether all requested outputs are published for the content that the index knows of a media file."""
        try:
            known = self._records.store.known_media(request.media)
        except OSError:
            return False
        key = self._up_to_date_key(self.plan_for(request), (), report=self._wants_report(request))
        return known is not None and self._up_to_date.has(request.media, known.digest, key)

    def finished(self, request: Request, digest: str, index: int = 0) -> tuple[Item, PublishedJob] | None:
        """Return the item and its published job if all its files are published and up to date; else None."""
        if self._takes_edits or request.order or self._records.edits.of(digest):
            return None  # the record of published files says nothing about corrections
        plan = self.plan_for(request)
        if plan.again or plan.partial:
            return None
        languages = self._existing_languages(request)
        key = self._up_to_date_key(plan, languages, report=self._wants_report(request))
        job = self._up_to_date.find(request.media, digest, key)
        place = job_folder(request.media).parent if self._beside else self._output
        if job is None or job.published.folder.parent != place:
            return None
        folder = job.published.folder
        if not all(step.id in job.keys for step in plan.steps):
            return None  # the index is damaged
        if not self._folders.take_again(folder, request.media):
            return None
        return Item(self.name(request.media), request.media, digest, plan, folder, index, request.priority), job

    def note(self, item: Item, published: PublishedFiles, keys: Mapping[str, str]) -> None:
        """Record what was published for an item."""
        if not item.edits:
            rules = item.rules
            has, report = (rules.has, rules.report is not None) if rules else ((), False)
            key = self._up_to_date_key(item.plan, has, report=report)
            self._up_to_date.note(item.media, item.digest, key, published, keys)

    def _up_to_date_key(self, plan: Plan, has: Sequence[str], *, report: bool) -> str:
        """Return the key under which a published job is recorded.

        It includes everything that decides which files are published: the plan, `--replace`, `--report`, and the
        languages of the subtitles that the media file `has`, which are not published again.
        """
        rules = ["replace"] if self._replace else []
        rules += ["report"] if report else []
        return "+".join([self._digest_of(plan), *rules, *has])

    def _digest_of(self, plan: Plan) -> str:
        if id(plan) not in self._digests:
            self._digests[id(plan)] = plan_digest(plan, self._planner.models.models, self.key_context)
        return self._digests[id(plan)]

    def name(self, media: Path) -> str:
        """Return the name to show to the user: the file's name if it is unique in the run, else its path."""
        name = as_text(media.name)
        if name in self._names:
            name = as_text(media)
        number = 2
        while name in self._names:
            name, number = f"{as_text(media)} ({number})", number + 1
        self._names.add(name)
        return name

    def preview_request(self, request: Request, digest: str) -> tuple[Item, list[StepPreview]]:
        """Return the item of a request, with a preview of each step. Raises `BadInput`."""
        if finished := self.finished(request, digest):
            item, job = finished
            return item, published_before(item.plan, job.keys)
        item = self.item(request, digest)
        return item, self.preview(item)

    def preview(self, item: Item) -> list[StepPreview]:
        """Return a preview of each step of an item."""
        store, last = self._records.store, self._records.history.last_ingredients
        return preview(item.plan, item.digest, store, self.key_context, lambda step: last(item.digest, step))
