"""Makes an NLLB of random weights: M2M100's architecture as the library saves it, with a sentencepiece vocabulary that
is trained here and the tokens of all 202 languages. Runs in the environment `translate`.

    python tests/fakes/tiny_nllb.py FOLDER
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import sentencepiece
import torch
from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizerFast

SENTENCES = (
    "hello world this is a small corpus for the tokenizer", "the chairs are in place and the popcorn is warm",
    "नमस्ते दुनिया यह एक छोटा वाक्य है", "bonjour le monde ceci est un test", "o coelho é muito grande e come pipoca",
)  # fmt: skip


def main(folder: Path) -> None:
    """Write all files of the repository, the weights as `pytorch_model.bin`."""
    with tempfile.TemporaryDirectory() as scratch:
        corpus, prefix = Path(scratch) / "corpus.txt", Path(scratch) / "sentencepiece"
        corpus.write_text("\n".join(SENTENCES * 50), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(prefix), vocab_size=160, model_type="bpe", character_coverage=1.0,
            unk_id=0, bos_id=1, eos_id=2, pad_id=-1, minloglevel=2,
        )  # fmt: skip
        shutil.copy(prefix.with_suffix(".model"), folder / "sentencepiece.bpe.model")
        tokenizer = NllbTokenizerFast(vocab_file=str(prefix.with_suffix(".model")))
    torch.manual_seed(7)
    config = M2M100Config(
        vocab_size=len(tokenizer), d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=1024,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2,
    )  # fmt: skip
    model = M2M100ForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.4)  # far enough apart that another input gives another text
    model.save_pretrained(folder, safe_serialization=False)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
