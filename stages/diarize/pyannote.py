"""Find speakers with pyannote's speaker diarization: a network finds up to three voices in each 10 s, and the voices
are compared across the file.

The pipeline community-1 contains all its parts. 3.1 names its parts by their repositories; they are in the same cache
with the same revisions, so it also loads without a network. pyannote unpickles the weights, of which the fetch has
checked every byte against the lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pyannote.audio import Pipeline
from pyannote.core import Annotation

from shared.documents.speech import Region
from shared.stage import Device
from stages.diarize.speakers import Speakers, SpeakerTurn
from stages.diarize.stage import DiarizeJob
from stages.toolkit.audio.pyannote_audio import as_file, torch_device
from stages.toolkit.audio.waveform import open_speech

PIPELINE = "pipeline"
Voices = npt.NDArray[np.float32]
# The library's two long steps: the progress at which each begins, and its share.
_SHARES = {"segmentation": (0.0, 0.3), "embeddings": (0.3, 0.7)}


class PyannoteEngine:
    """A loaded pipeline, with its own parameters."""

    def __init__(self, pipeline: Pipeline, *, fills_batches: bool) -> None:
        self._pipeline = pipeline
        if fills_batches:
            pipeline._embedding = _FullBatches(pipeline)
        self._own = pipeline.parameters(instantiated=True)
        self._batches = pipeline.segmentation_batch_size, pipeline.embedding_batch_size

    def diarize(self, job: DiarizeJob, regions: Sequence[Region]) -> Speakers:
        """Return the turns of the pipeline, which finds speech by itself, and overlaps too.

        Keeps the recording in memory as 32-bit floats, 230 MB an hour, and compares all voices with each other.
        """
        params, pipeline = job.params, self._pipeline
        recording = open_speech(job.inputs.audio)
        pipeline.instantiate(self._own)
        pipeline.instantiate(self._requested(job))
        pipeline.segmentation_batch_size = params.segmentation_batch_size or self._batches[0]
        pipeline.embedding_batch_size = params.embedding_batch_size or self._batches[1]

        def hook(step: str, *_: object, total: int = 0, completed: int = 0, **__: object) -> None:
            if total and step in _SHARES:
                begin, share = _SHARES[step]
                job.progress(begin + share * completed / total)

        found = pipeline(
            as_file(recording.read(0, recording.duration_ms)),
            num_speakers=params.num_speakers,
            min_speakers=params.min_speakers,
            max_speakers=params.max_speakers,
            hook=hook,
        )
        diarization = found.speaker_diarization
        if params.num_speakers and len(diarization.labels()) < params.num_speakers:
            job.warn(f"{len(diarization.labels())} speakers were heard, and {params.num_speakers} were asked for")
        numbers = {label: number for number, label in enumerate(diarization.labels())}
        return Speakers(_turns(diarization, numbers), _turns(found.exclusive_speaker_diarization, numbers))

    def _requested(self, job: DiarizeJob) -> dict[str, dict[str, float]]:
        """Return the pipeline parameters that the job sets, in the pipeline's form."""
        requested: dict[str, dict[str, float]] = {}
        if job.params.clustering_threshold is not None:
            requested["clustering"] = {"threshold": job.params.clustering_threshold}
        if job.params.min_duration_off is not None:
            requested["segmentation"] = {"min_duration_off": job.params.min_duration_off}
        return requested


class _FullBatches:
    """The voice network of a pipeline, given batches of one size only: the last one is filled, and what the filling
    gives is dropped.

    cuDNN chooses by its size how a batch is computed. Of a film of 72 minutes, a full batch of 32 took 1.8 GiB of a
    card, and the last one of 29 took 10.5 GiB: https://github.com/pyannote/pyannote-audio/issues/1963.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline, self._network = pipeline, pipeline._embedding

    def __call__(self, waveforms: torch.Tensor, masks: torch.Tensor) -> Voices:
        """Return a voice for each waveform, `(voices, dimensions)`."""
        count, size = len(waveforms), self._pipeline.embedding_batch_size
        chosen = torch.arange(size).clamp(max=count - 1)
        voices: Voices = self._network(waveforms[chosen], masks=masks[chosen])[:count]
        return voices

    def __getattr__(self, name: str) -> object:
        return getattr(self._network, name)


def _turns(annotation: Annotation, numbers: Mapping[str, int]) -> list[SpeakerTurn]:
    return [
        SpeakerTurn(round(segment.start * 1000), round(segment.end * 1000), numbers[label])
        for segment, _, label in annotation.itertracks(yield_label=True)
    ]


def load(models: Mapping[str, Path], device: Device) -> PyannoteEngine:
    """Load the pipeline from its snapshot; `models` maps the role `pipeline` to it."""
    pipeline = Pipeline.from_pretrained(models[PIPELINE])
    pipeline.to(torch_device(device))
    return PyannoteEngine(pipeline, fills_batches=device.kind == "cuda")
