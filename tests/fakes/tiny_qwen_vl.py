"""A Qwen2.5-VL with random weights, as Nanonets OCR-s is one: python tiny_qwen_vl.py FOLDER"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.convert_slow_tokenizer import bytes_to_unicode
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
PATCH = 14


def save_tokenizer(folder: Path) -> dict[str, int]:
    """Save a tokenizer with one token for each byte, after Qwen's marks: a real byte-level BPE without merges."""
    letters = sorted(bytes_to_unicode().values())
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    added = [
        {"id": len(letters) + place, "content": mark, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True}
        for place, mark in enumerate(MARKS)
    ]  # fmt: skip
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    model = {"type": "BPE", "vocab": vocabulary, "merges": [], "byte_fallback": False, "fuse_unk": False}
    written = {
        "version": "1.0", "added_tokens": added, "normalizer": None, "pre_tokenizer": byte_level,
        "post_processor": None, "decoder": byte_level, "model": model, "truncation": None, "padding": None,
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.save_pretrained(folder)
    return {mark: len(letters) + place for place, mark in enumerate(MARKS)}


def main(folder: Path) -> None:
    torch.manual_seed(0)
    ids = save_tokenizer(folder)
    rope = {"rope_type": "default", "mrope_section": [2, 1, 1], "rope_theta": 10000.0}
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": 256 + len(MARKS), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "intermediate_size": 64, "max_position_embeddings": 4096, "rope_parameters": rope,
            "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"],
        },
        vision_config={
            "depth": 2, "hidden_size": 32, "out_hidden_size": 32, "num_heads": 2, "intermediate_size": 64,
            "patch_size": PATCH, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 4 * PATCH,
            "fullatt_block_indexes": [1],
        },
        image_token_id=ids["<|image_pad|>"], vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    model = Qwen2_5_VLForConditionalGeneration(config)
    model.generation_config.eos_token_id = ids["<|im_end|>"]
    model.generation_config.pad_token_id = ids["<|endoftext|>"]
    model.save_pretrained(folder)
    Qwen2VLImageProcessorPil(patch_size=PATCH, min_pixels=28 * 28, max_pixels=28 * 28 * 16).save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
