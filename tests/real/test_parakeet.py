"""Parakeet in batches, as on a card: the same words at the same times as pack by pack."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from pipeline.engine.project import Project
from tests.conftest import ROOT

_COMPARE = """
import sys
from pathlib import Path
import torch
from nemo.collections.asr.models import ASRModel
from shared.documents.speech import Region
from shared.stage import Device
from stages.asr.nemo_parakeet import load
from stages.asr.stage import AsrParams
from tests.fakes import tiny_parakeet

folder, audio = map(Path, sys.argv[1:])
tiny_parakeet.main(folder)
torch.set_num_threads(1)
restore = ASRModel.restore_from
ASRModel.restore_from = lambda archive, map_location: restore(archive, map_location=torch.device("cpu"))
packs = [(Region(start_ms=at, end_ms=at + length),) for at, length in ((0, 4000), (4000, 2500), (6500, 1200))]
packs.append((Region(start_ms=500, end_ms=2000), Region(start_ms=5000, end_ms=7000)))
heard, sizes = [], []
for kind in ("cpu", "cuda"):
    engine = load({"recognizer": folder}, Device(kind, 1, {}))
    batches = []
    decode = engine._model.transcribe
    engine._model.transcribe = lambda sound, **options: batches.append(len(sound)) or decode(sound, **options)
    engine.expect(packs)
    found = []
    for pack in packs:
        found.append(list(engine.transcribe(audio, pack, "en", AsrParams(), False)))
        list(engine.transcribe(audio, (Region(start_ms=100, end_ms=900),), "en", AsrParams(), True))
    engine.reset()
    found.append(list(engine.transcribe(audio, packs[1], "en", AsrParams(), True)))
    words = [[(word.text, word.start_ms, word.end_ms) for part in parts for word in part.words] for parts in found]
    heard.append(words)
    sizes.append(batches)
print(sizes, heard[0] == heard[1], sum(map(len, heard[0])) > 3)
"""


def test_packs_in_a_batch_give_the_words_and_times_of_one_after_the_other(
    real_project: Project, speech_clip: Path, tmp_path: Path
) -> None:
    real_project.installed.environments.ensure("nemo", lambda event: None)
    python = real_project.installed.environments.python("nemo")
    done = subprocess.run(
        [python, "-c", _COMPARE, tmp_path, speech_clip], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    sizes = [[1, 1, 1, 1, 1, 1, 1, 1, 1], [4, 1, 1, 1, 1, 1]]
    assert done.stdout.splitlines()[-1] == f"{sizes} True True"
