"""Publishes made-up results of a media file, without running a step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from pipeline.plan.model import Plan, Publication
from pipeline.publishing.batch_media import BatchMedia
from pipeline.publishing.folders import Folders, OutputDisk
from pipeline.publishing.publish import FinishedJob, PublishedFiles, Rules, publish
from pipeline.store.results import ResultStore, StoredFile, StoredResult


class Publisher:
    """Publishes made-up results of one media file."""

    def __init__(self, root: Path, film: Path, output: Path) -> None:
        self.store, self.film, self.output = ResultStore(root / "store"), film, output
        self.digest = hashlib.sha256(film.read_bytes()).hexdigest()

    def result(self, key: str, contents: Iterable[tuple[str, bytes]]) -> StoredResult:
        """Return a result of these files, which the store holds."""
        files = []
        for name, content in contents:
            digest = hashlib.sha256(content).hexdigest()
            place = self.store.object_path(digest)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            files.append(StoredFile(sha256=digest, size=len(content), name=name))
        return StoredResult(
            key=key, ingredients={"stage": "s", "tools": {}}, outputs={"files": tuple(files)},
            facts={"language": "en"}, warnings=(), seconds=0, cpu_s=0, memory_mb=None,
        )  # fmt: skip

    def run(
        self,
        templates: Iterable[str],
        content: bytes,
        *,
        replace: bool = False,
        untouched: frozenset[Path] = frozenset(),
    ) -> PublishedFiles:
        """Publish a file of this content, or two, for each template. `untouched` are files of which nothing has changed
        since they were published."""
        publications, results = [], {}
        for number, template in enumerate(dict.fromkeys(templates)):
            suffixes = (".srt", ".vtt") if "suffix" in template and "kind" in template else (".mkv",)
            step = f"step{number}"
            results[step] = self.result(step, [(f"x{suffix}", content + template.encode()) for suffix in suffixes])
            publications.append(Publication(step, "files", template))
        plan = Plan("a recipe", "a profile", (), tuple(publications))
        batch = BatchMedia([self.film])
        disk, folders = OutputDisk(try_it=True), Folders(self.output, batch, replace=replace)
        names = disk.rules(self.output, self.film)
        folder = folders.take(self.film, self.digest, names)
        disk.check(folder)
        rules = Rules(
            self.store, {}, batch, names, lambda taken: folders.take_other(taken, self.film, self.digest, names),
            untouched=untouched.__contains__, replace=replace,
        )  # fmt: skip
        return publish(FinishedJob(self.film, self.digest, plan, results), folder, rules)
