"""A BERT for token classification with random weights and WikiNEuRal's labels: python tiny_bert.py FOLDER"""

from __future__ import annotations

import string
import sys
from pathlib import Path

import torch
from transformers import BertConfig, BertForTokenClassification, BertTokenizerFast

LABELS = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def main(folder: Path) -> None:
    torch.manual_seed(0)
    letters = [*string.ascii_letters, *string.digits, *string.punctuation]
    words = [*MARKS, *letters, *(f"##{letter}" for letter in letters), "the", "and", "popcorn", "film"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), do_lower_case=False).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64, id2label=dict(enumerate(LABELS)), label2id={n: i for i, n in enumerate(LABELS)},
        initializer_range=0.5,
    )  # fmt: skip
    BertForTokenClassification(config).save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
