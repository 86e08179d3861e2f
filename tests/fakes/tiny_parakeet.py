"""Writes a Parakeet with few, random weights as a `.nemo` archive: `tiny_parakeet.py FOLDER`.

The architecture is that of parakeet-tdt-0.6b: FastConformer, a transducer that predicts tokens and durations, and a
SentencePiece vocabulary inside the archive.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import sentencepiece
import torch
from nemo.collections.asr.models import EncDecRNNTBPEModel
from omegaconf import OmegaConf

_WIDTH, _VOCABULARY = 32, 64
_DURATIONS = [0, 1, 2, 3, 4]
_TEXT = (
    "the quick brown fox jumps over the lazy dog while seven wizards make toxic brew for a jovial queen and her pack"
)
_NEMO = "nemo.collections.asr.modules"


def settings(tokenizer: str) -> dict[str, object]:
    """Return what the archive's own configuration says."""
    loss = {"fastemit_lambda": 0.0, "clamp": -1.0, "durations": _DURATIONS, "sigma": 0.02, "omega": 0.1}
    return {
        "sample_rate": 16_000,
        "labels": [],
        "tokenizer": {"dir": tokenizer, "type": "bpe"},
        "model_defaults": {"enc_hidden": _WIDTH, "pred_hidden": _WIDTH, "joint_hidden": _WIDTH},
        "preprocessor": {
            "_target_": f"{_NEMO}.AudioToMelSpectrogramPreprocessor", "sample_rate": 16_000, "features": 128,
            "window_size": 0.025, "window_stride": 0.01, "n_fft": 512, "normalize": "per_feature", "dither": 1e-5,
        },
        "encoder": {
            "_target_": f"{_NEMO}.ConformerEncoder", "feat_in": 128, "feat_out": -1, "n_layers": 1, "d_model": _WIDTH,
            "subsampling": "dw_striding", "subsampling_factor": 8, "subsampling_conv_channels": 16, "n_heads": 2,
            "ff_expansion_factor": 2, "self_attention_model": "rel_pos", "conv_kernel_size": 9, "use_bias": False,
        },
        "decoder": {
            "_target_": f"{_NEMO}.RNNTDecoder", "normalization_mode": None, "random_state_sampling": False,
            "blank_as_pad": True, "prednet": {"pred_hidden": _WIDTH, "pred_rnn_layers": 1, "t_max": None},
        },
        "joint": {
            "_target_": f"{_NEMO}.RNNTJoint", "log_softmax": None, "fuse_loss_wer": False, "fused_batch_size": 4,
            "num_extra_outputs": len(_DURATIONS), "jointnet": {"joint_hidden": _WIDTH, "activation": "relu"},
        },
        "decoding": {
            "strategy": "greedy_batch", "model_type": "tdt", "durations": _DURATIONS,
            "greedy": {"max_symbols": 10},
        },
        "loss": {"loss_name": "tdt", "tdt_kwargs": loss},
        "optim": {"name": "adamw", "lr": 0.001},
    }  # fmt: skip


def main(folder: Path) -> None:
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        words = Path(scratch) / "words.txt"
        words.write_text("\n".join(_TEXT.split() * 3 + [_TEXT]), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(words), model_prefix=f"{scratch}/tokenizer", vocab_size=_VOCABULARY, model_type="bpe"
        )
        pieces = (Path(scratch) / "tokenizer.vocab").read_text(encoding="utf-8").split("\n")
        (Path(scratch) / "vocab.txt").write_text(
            "\n".join(piece.split("\t")[0] for piece in pieces if piece), encoding="utf-8"
        )
        model = EncDecRNNTBPEModel(cfg=OmegaConf.create(settings(scratch))).eval()
        with torch.no_grad():  # else it says the most that it may at every frame
            model.joint.joint_net[-1].weight.mul_(4)
            model.joint.joint_net[-1].bias[-1] += 40  # the longest duration
        model.save_to(str(folder / "parakeet-tdt-0.6b-v2.nemo"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
