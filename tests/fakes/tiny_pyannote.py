"""A speaker diarization pipeline with pyannote's own architecture, few weights and no training:

    tiny_pyannote.py FOLDER                 writes config.yaml, segmentation/, embedding/, plda/ as community-1 has them
    tiny_pyannote.py FOLDER segmentation    writes pytorch_model.bin as segmentation 3.0 has it

The weights are random, but repeat. Of the embedding, which has no small form, a few numbers are written many times: a
file keeps what its tensors share once.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from pyannote.audio import Model, __version__
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import WeSpeakerResNet34
from pyannote.audio.models.segmentation import PyanNet

_SEED = 0
_SHARED = 1 << 15  # numbers
_DIMENSION, _PLDA = 256, 128
_CONFIG = {
    "dependencies": {"pyannote.audio": "4.0.0"},
    "pipeline": {
        "name": "pyannote.audio.pipelines.SpeakerDiarization",
        "params": {
            "clustering": "VBxClustering",
            "segmentation": "$model/segmentation",
            "segmentation_batch_size": 32,
            "segmentation_step": 1.0,  # a tenth of the work
            "embedding": "$model/embedding",
            "embedding_batch_size": 32,
            "embedding_exclude_overlap": True,
            "plda": "$model/plda",
        },
    },
    "params": {"clustering": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8}, "segmentation": {"min_duration_off": 0.0}},
}


def main(folder: Path, part: str = "") -> None:
    """Write all of it, or the part alone."""
    torch.manual_seed(_SEED)
    if part == "segmentation":
        _save(_segmentation(), folder)
        return
    _save(_segmentation(), folder / "segmentation")
    _save(_embedding(), folder / "embedding")
    _write_plda(folder / "plda")
    (folder / "config.yaml").write_text(json.dumps(_CONFIG), encoding="utf-8")  # which is YAML


def _segmentation() -> Model:
    """Return three speakers in 10 s, two at once, as segmentation 3.0 has them: seven classes."""
    network = PyanNet(lstm={"hidden_size": 16, "num_layers": 1}, linear={"hidden_size": 16, "num_layers": 1})
    network.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=10.0,
        classes=["speaker#1", "speaker#2", "speaker#3"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    network.build()
    with torch.no_grad():
        network.classifier.weight.mul_(30)  # else one class is the likeliest whatever is heard
    return network


def _embedding() -> Model:
    network = WeSpeakerResNet34()
    network.specifications = Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0)
    return network


def _save(network: Model, folder: Path) -> None:
    """Save a checkpoint as the library's own training leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "state_dict": {name: _shared(name, tensor) for name, tensor in network.state_dict().items()},
        "hyper_parameters": dict(network.hparams),
        "pytorch-lightning_version": version("lightning"),
        "pyannote.audio": {
            "versions": {"torch": str(torch.__version__), "pyannote.audio": __version__},
            "architecture": {"module": type(network).__module__, "class": type(network).__name__},
            "specifications": network.specifications,
        },
    }
    torch.save(content, folder / "pytorch_model.bin")


def _shared(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return a large weight as overlapping rows of few numbers."""
    if tensor.numel() <= _SHARED:
        return tensor
    rows = tensor.shape[0]
    width = tensor.numel() // rows
    step = max((_NUMBERS.numel() - width) // rows, 1)
    row_strides = torch.empty(tensor.shape[1:]).stride()
    scale = float(tensor.std())
    return (_NUMBERS * scale).as_strided(tensor.shape, (step, *row_strides))


_NUMBERS = torch.randn(_SHARED, generator=torch.Generator().manual_seed(_SEED))


def _write_plda(folder: Path) -> None:
    folder.mkdir(parents=True)
    random = np.random.default_rng(_SEED)
    np.savez(
        folder / "xvec_transform.npz",
        mean1=np.zeros(_DIMENSION),
        mean2=np.zeros(_PLDA),
        lda=random.standard_normal((_DIMENSION, _PLDA)) / 16,
    )
    rotation = np.linalg.qr(random.standard_normal((_PLDA, _PLDA)))[0]
    np.savez(folder / "plda.npz", mu=np.zeros(_PLDA), tr=rotation, psi=np.linspace(5, 0.1, _PLDA))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
