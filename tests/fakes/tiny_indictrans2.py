"""Makes an IndicTrans2 of random weights: the same set of files, code of its own among them, with vocabularies that are
trained here. Runs in the environment `translate`.

    python tests/fakes/tiny_indictrans2.py FOLDER
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import sentencepiece
import torch
from transformers import GenerationConfig

CODE = Path(__file__).parent / "indictrans_code"
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
SIDES = {
    "SRC": "the chairs are in place and the popcorn is warm hello world नमस्ते दुनिया यह एक छोटा वाक्य है",
    "TGT": "कुर्सियाँ अपनी जगह पर हैं और पॉपकॉर्न गरम है नमस्ते दुनिया the world is warm",
}
LANGUAGES = ["asm_Beng", "ben_Beng", "eng_Latn", "guj_Gujr", "hin_Deva", "mar_Deva", "tam_Taml", "urd_Arab"]


def main(folder: Path) -> None:
    """Write all files of the repository."""
    sizes = {}
    for side, text in SIDES.items():
        vocabulary = [*SPECIAL, *LANGUAGES, *_pieces(text, folder / f"model.{side}")]
        sizes[side] = len(vocabulary)
        numbers = {token: number for number, token in enumerate(vocabulary)}
        (folder / f"dict.{side}.json").write_text(json.dumps(numbers), encoding="utf-8")
    for file in CODE.glob("*.py"):
        shutil.copy(file, folder)
    sys.path.insert(0, str(CODE.parent))
    modeling = import_module("indictrans_code.modeling_indictrans")
    config = import_module("indictrans_code.configuration_indictrans").IndicTransConfig(
        encoder_vocab_size=sizes["SRC"], decoder_vocab_size=sizes["TGT"], tie_word_embeddings=False,
        bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2,
        auto_map={
            "AutoConfig": "configuration_indictrans.IndicTransConfig",
            "AutoModelForSeq2SeqLM": "modeling_indictrans.IndicTransForConditionalGeneration",
        },
    )  # fmt: skip
    torch.manual_seed(7)
    modeling.IndicTransForConditionalGeneration(config).save_pretrained(folder)
    GenerationConfig(bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2).save_pretrained(folder)
    tokenizer = {
        "tokenizer_class": "IndicTransTokenizer",
        "auto_map": {"AutoTokenizer": ["tokenization_indictrans.IndicTransTokenizer", None]},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    special = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token"), SPECIAL, strict=True))
    (folder / "special_tokens_map.json").write_text(json.dumps(special), encoding="utf-8")


def _pieces(text: str, model: Path) -> list[str]:
    """Train a vocabulary of the text into a file, and return its pieces."""
    with tempfile.TemporaryDirectory() as scratch:
        corpus, prefix = Path(scratch) / "corpus.txt", Path(scratch) / "pieces"
        corpus.write_text(f"{text}\n" * 50, encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(prefix), vocab_size=80, model_type="bpe", character_coverage=1.0,
            minloglevel=2, hard_vocab_limit=False,
        )  # fmt: skip
        shutil.copy(prefix.with_suffix(".model"), model)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    pieces = [processor.IdToPiece(number) for number in range(processor.GetPieceSize())]
    return [piece for piece in pieces if piece not in SPECIAL]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
