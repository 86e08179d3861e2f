"""Aligners with their real architectures and no knowledge of speech:

    tiny_aligner.py FOLDER              writes the file that torchaudio's bundle for English loads
    tiny_aligner.py FOLDER devanagari   writes a small wav2vec 2.0 for Hindi's letters, as transformers loads it

torchaudio's network has 94 million weights and no small form: a few numbers are written many times, because a file
keeps what its tensors share once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import torchaudio
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Processor,
)

_BUNDLE = torchaudio.pipelines.WAV2VEC2_ASR_BASE_960H
_SHARED = 1 << 15  # numbers
_NUMBERS = torch.randn(_SHARED, generator=torch.Generator().manual_seed(0)) / 30
_DEVANAGARI = [chr(code) for code in range(0x0901, 0x094E)]


def write_english(folder: Path) -> None:
    """Write torchaudio's network, in the file that its bundle names; with the outputs that the bundle takes away."""
    outputs = _BUNDLE._params["aux_num_out"] + len(_BUNDLE._remove_aux_axis)
    network = torchaudio.models.wav2vec2_model(**{**_BUNDLE._params, "aux_num_out": outputs})
    weights = {name: _shared(tensor) for name, tensor in network.state_dict().items()}
    torch.save(weights, folder / _BUNDLE._path)


def write_devanagari(folder: Path) -> None:
    """Write transformers' network with its tokenizer."""
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *_DEVANAGARI]
    (folder / "vocab.json").write_text(
        json.dumps({letter: number for number, letter in enumerate(letters)}), encoding="utf-8"
    )
    tokenizer = Wav2Vec2CTCTokenizer(folder / "vocab.json", pad_token="<pad>", word_delimiter_token="|")
    features = Wav2Vec2FeatureExtractor(return_attention_mask=False)
    Wav2Vec2Processor(features, tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    shape = Wav2Vec2Config(
        vocab_size=len(letters),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        pad_token_id=0,
    )
    Wav2Vec2ForCTC(shape).save_pretrained(folder)


def _shared(tensor: torch.Tensor) -> torch.Tensor:
    """Return a large weight as overlapping rows of few numbers; a small one as it was made."""
    if tensor.numel() <= 1024:
        return tensor
    rows = tensor.shape[0]
    step = max((_SHARED - tensor.numel() // rows) // rows, 1)
    return _NUMBERS.as_strided(tensor.shape, (step, *torch.empty(tensor.shape[1:]).stride()))


if __name__ == "__main__":
    write = write_devanagari if sys.argv[2:] == ["devanagari"] else write_english
    write(Path(sys.argv[1]))
