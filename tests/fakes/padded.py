"""A stage that leaves much behind: a large sound and a short text for each film, and the film once more."""

from __future__ import annotations

import hashlib
from pathlib import Path

from shared.stage import CORE_ENVIRONMENT, Backend, Files, Job, Params, Stage


class PaddedInputs(Files):
    media: Path


class PaddedParams(Params):
    size: int = 0


class PaddedOutputs(Files):
    large: Path
    text: Path


PaddedJob = Job[PaddedInputs, PaddedParams]


def stub(job: PaddedJob) -> PaddedOutputs:
    digest = hashlib.sha256(job.inputs.media.read_bytes() + str(job.params.size).encode())
    large, text = job.out_dir / "large.bin", job.out_dir / "text.txt"
    large.write_bytes(digest.digest() * (job.params.size // digest.digest_size))
    text.write_text(digest.hexdigest(), encoding="utf-8")
    return PaddedOutputs(large=large, text=text)


def run(engine: object, job: PaddedJob) -> PaddedOutputs:
    return stub(job)


STAGE = Stage(
    name="padded",
    version=1,
    summary="leaves much behind",
    inputs=PaddedInputs,
    params=PaddedParams,
    outputs=PaddedOutputs,
    backends={"itself": Backend(module=__name__, environment=CORE_ENVIRONMENT, summary="itself")},
    run=run,
    stub=stub,
)
