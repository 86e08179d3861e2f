"""Writes a Canary-Qwen with few, random weights: `tiny_canary.py FOLDER`; with a second word, `tokenizer`, the folder
of the language model that it needs: configuration and tokenizer of a small Qwen3, without weights.

The architecture is that of canary-qwen-2.5b: FastConformer, a projection, and Qwen3 with LoRA adapters (SALM).
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config

_WIDTH = 32
_TEXT = (
    "the quick brown fox jumps over the lazy dog while seven wizards make toxic brew for a jovial queen and her pack"
)
_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_NEMO = "nemo.collections.asr.modules"


def write_tokenizer(folder: Path) -> None:
    """Write a byte-level BPE with Qwen's special tokens, and a Qwen3 of one layer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator([_TEXT] * 3, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))
    whole = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        additional_special_tokens=_SPECIAL[1:],
    )  # fmt: skip
    whole.save_pretrained(folder)
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(" ".join(pair) for pair in model["merges"]), encoding="utf-8")
    for extra in ("special_tokens_map.json", "added_tokens.json", "chat_template.jinja"):
        (folder / extra).unlink(missing_ok=True)
    Qwen3Config(
        vocab_size=len(whole) + 1, hidden_size=_WIDTH, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, max_position_embeddings=2048, tie_word_embeddings=True,
    ).save_pretrained(folder)  # fmt: skip
    (folder / "generation_config.json").write_text("{}", encoding="utf-8")


def write_model(folder: Path) -> None:
    from nemo.collections.speechlm2.models import SALM  # takes half a minute, and the tokenizer does without

    encoder = {
        "_target_": f"{_NEMO}.ConformerEncoder", "feat_in": 128, "feat_out": -1, "n_layers": 1, "d_model": _WIDTH,
        "subsampling": "dw_striding", "subsampling_factor": 8, "subsampling_conv_channels": 16, "n_heads": 2,
        "ff_expansion_factor": 2, "self_attention_model": "rel_pos", "conv_kernel_size": 9,
    }  # fmt: skip
    preprocessor = {
        "_target_": f"{_NEMO}.AudioToMelSpectrogramPreprocessor", "sample_rate": 16_000, "features": 128,
        "window_size": 0.025, "window_stride": 0.01, "n_fft": 512, "normalize": "per_feature", "dither": 1e-5,
    }  # fmt: skip
    adapter = {"_target_": "nemo.collections.speechlm2.modules.perception.IdentityConnector", "d_model": _WIDTH}
    lora = {"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]}
    settings = {
        "pretrained_llm": "Qwen/Qwen3-1.7B", "pretrained_asr": "nvidia/canary-1b-flash", "pretrained_weights": True,
        "audio_locator_tag": "<|audioplaceholder|>", "prompt_format": "qwen", "prevent_freeze_params": [],
        "lora": lora,
        "perception": {
            "output_dim": _WIDTH, "preprocessor": preprocessor, "encoder": encoder, "modality_adapter": adapter,
        },
    }  # fmt: skip
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as language_model:
        write_tokenizer(Path(language_model))
        model = SALM({**settings, "pretrained_llm": language_model, "pretrained_weights": False}).eval()
        last = next(weight for name, weight in model.named_parameters() if name.endswith("model.norm.weight"))
        with torch.no_grad():  # else every token is as likely as every other, and then it repeats the first
            model.embed_tokens.weight.mul_(50)
            last.normal_()
    save_model(model, str(folder / "model.safetensors"))
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")


def main(folder: Path, tokenizer: bool) -> None:
    (write_tokenizer if tokenizer else write_model)(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), "tokenizer" in sys.argv[2:])
