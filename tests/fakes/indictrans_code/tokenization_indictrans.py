"""A tiny stand-in for IndicTrans2's tokenizer: the two languages first, then a vocabulary for each side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sentencepiece import SentencePieceProcessor
from transformers import PreTrainedTokenizer


class IndicTransTokenizer(PreTrainedTokenizer):
    """Reads `eng_Latn hin_Deva text`, writes text of the target side."""

    vocab_files_names = {
        "src_vocab_fp": "dict.SRC.json", "tgt_vocab_fp": "dict.TGT.json", "src_spm_fp": "model.SRC",
        "tgt_spm_fp": "model.TGT",
    }  # fmt: skip
    model_input_names = ["input_ids", "attention_mask"]

    def __init__(self, src_vocab_fp: str, tgt_vocab_fp: str, src_spm_fp: str, tgt_spm_fp: str, **rest: Any) -> None:
        self.vocabularies = [json.loads(Path(path).read_text()) for path in (src_vocab_fp, tgt_vocab_fp)]
        self.pieces = [SentencePieceProcessor(model_file=path) for path in (src_spm_fp, tgt_spm_fp)]
        self.side = 0
        super().__init__(**rest)  # the special tokens come from a file of their own
        self.padding_side = "left"

    @property
    def vocab_size(self) -> int:
        return len(self.vocabularies[self.side])

    def get_vocab(self) -> dict[str, int]:
        return dict(self.vocabularies[self.side])

    def _switch_to_target_mode(self) -> None:
        self.side = 1

    def _switch_to_input_mode(self) -> None:
        self.side = 0

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        source, target, said = text.split(" ", 2)
        assert {source, target} <= self.vocabularies[0].keys(), f"{source} and {target} are no languages"
        return [source, target, *self.pieces[0].EncodeAsPieces(said)]

    def _convert_token_to_id(self, token: str) -> int:
        return int(self.vocabularies[self.side].get(token, self.vocabularies[self.side]["<unk>"]))

    def _convert_id_to_token(self, index: int) -> str:
        return next((token for token, number in self.vocabularies[self.side].items() if number == index), "<unk>")

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return "".join(tokens).replace("\u2581", " ").strip()

    def build_inputs_with_special_tokens(self, first: list[int], second: list[int] | None = None) -> list[int]:
        return [*first, self.vocabularies[self.side]["</s>"]]

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        return ()
