"""What a tiny stand-in for IndicTrans2 is made of; see `tests/fakes/tiny_indictrans2.py`."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig


class IndicTransConfig(PretrainedConfig):
    """Two vocabularies, and one width for all of it."""

    model_type = "IndicTrans"

    def __init__(
        self, encoder_vocab_size: int = 8, decoder_vocab_size: int = 8, width: int = 32, heads: int = 2, **rest: Any
    ) -> None:
        self.encoder_vocab_size, self.decoder_vocab_size = encoder_vocab_size, decoder_vocab_size
        self.vocab_size = decoder_vocab_size  # what beam search goes by
        self.width, self.heads = width, heads
        self.hidden_size, self.num_hidden_layers, self.num_attention_heads = width, 1, heads
        super().__init__(**{**rest, "is_encoder_decoder": True})
