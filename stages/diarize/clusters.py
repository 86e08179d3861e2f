"""Find speakers by clustering voice embeddings (GE2E) of short windows; without torch, one speaker at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.documents.speech import Region
from shared.stage import Device
from stages.diarize.clustering import MAXIMUM_SPEAKERS, diarize, merge_regions
from stages.diarize.ge2e_embedder import Embedder
from stages.diarize.speakers import Speakers, SpeakerTurn
from stages.diarize.stage import DiarizeJob
from stages.toolkit.audio.waveform import open_speech

EMBEDDER = "embedder"
_FILE = "embedder.int8.onnx"


class SpeakerClusters:
    """The embedder, loaded once."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def diarize(self, job: DiarizeJob, regions: Sequence[Region]) -> Speakers:
        """Return turns within the regions. Keeps the recording in memory as 32-bit floats: 230 MB an hour."""
        recording = open_speech(job.inputs.audio)
        samples = recording.read(0, recording.duration_ms)
        spans = merge_regions([(region.start_ms, region.end_ms) for region in regions])
        params = job.params
        turns = diarize(
            samples,
            spans,
            self._embedder.for_recording(samples, spans),
            num_speakers=params.num_speakers,
            min_speakers=params.min_speakers or 1,
            max_speakers=params.max_speakers or max(MAXIMUM_SPEAKERS, params.min_speakers or 1),
        )
        return Speakers([SpeakerTurn(*turn) for turn in turns])


def load(models: Mapping[str, Path], device: Device) -> SpeakerClusters:
    """Load the embedder; `models` maps the role `embedder` to its snapshot."""
    return SpeakerClusters(Embedder(models[EMBEDDER] / _FILE, device.threads))
