"""A language model for llama.cpp with random weights: a Llama of one layer over single bytes, as one GGUF file.

    python tiny_gguf.py FOLDER      writes FOLDER/<the name that config/models.toml takes>

The format is written by hand (GGUF 3: a header, metadata, a table of tensors, their bytes), since no environment of
ours holds a library for it.
"""

from __future__ import annotations

import random
import struct
import sys
from pathlib import Path

NAME = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
EMBEDDING, FEED_FORWARD, HEADS, CONTEXT = 32, 64, 2, 4096
TOKENS = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
UNKNOWN, CONTROL, BYTE = 2, 3, 6  # kinds of tokens
UINT32, INT32, FLOAT32, STRING, ARRAY = 4, 5, 6, 8, 9  # types of metadata
ALIGNMENT = 32
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "


def text(value: str) -> bytes:
    content = value.encode()
    return struct.pack("<Q", len(content)) + content


def number(value: int) -> tuple[int, bytes]:
    return UINT32, struct.pack("<I", value)


def array(kind: int, values: list[bytes]) -> tuple[int, bytes]:
    return ARRAY, struct.pack("<IQ", kind, len(values)) + b"".join(values)


def metadata() -> dict[str, tuple[int, bytes]]:
    kinds = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256
    return {
        "general.architecture": (STRING, text("llama")),
        "general.name": (STRING, text("tiny")),
        "llama.vocab_size": number(len(TOKENS)),
        "llama.context_length": number(CONTEXT),
        "llama.embedding_length": number(EMBEDDING),
        "llama.block_count": number(1),
        "llama.feed_forward_length": number(FEED_FORWARD),
        "llama.rope.dimension_count": number(EMBEDDING // HEADS),
        "llama.attention.head_count": number(HEADS),
        "llama.attention.head_count_kv": number(HEADS),
        "llama.attention.layer_norm_rms_epsilon": (FLOAT32, struct.pack("<f", 1e-5)),
        "tokenizer.ggml.model": (STRING, text("llama")),
        "tokenizer.ggml.tokens": array(STRING, [text(token) for token in TOKENS]),
        "tokenizer.ggml.scores": array(FLOAT32, [struct.pack("<f", 0.0)] * len(TOKENS)),
        "tokenizer.ggml.token_type": array(INT32, [struct.pack("<i", kind) for kind in kinds]),
        "tokenizer.ggml.unknown_token_id": number(0),
        "tokenizer.ggml.bos_token_id": number(1),
        "tokenizer.ggml.eos_token_id": number(2),
        "tokenizer.chat_template": (STRING, text(TEMPLATE)),
    }


def tensors() -> dict[str, tuple[int, ...]]:
    """Return names and shapes, the fastest dimension first."""
    square, wide, tall = (EMBEDDING, EMBEDDING), (EMBEDDING, FEED_FORWARD), (FEED_FORWARD, EMBEDDING)
    return {
        "token_embd.weight": (EMBEDDING, len(TOKENS)),
        "output_norm.weight": (EMBEDDING,),
        "output.weight": (EMBEDDING, len(TOKENS)),
        "blk.0.attn_norm.weight": (EMBEDDING,),
        "blk.0.attn_q.weight": square,
        "blk.0.attn_k.weight": square,
        "blk.0.attn_v.weight": square,
        "blk.0.attn_output.weight": square,
        "blk.0.ffn_norm.weight": (EMBEDDING,),
        "blk.0.ffn_gate.weight": wide,
        "blk.0.ffn_up.weight": wide,
        "blk.0.ffn_down.weight": tall,
    }


def main(folder: Path) -> None:
    dice, facts = random.Random(0), metadata()
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors()), len(facts))
    for name, (kind, value) in facts.items():
        head += text(name) + struct.pack("<I", kind) + value
    weights, offset = b"", 0
    for name, shape in tensors().items():
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        content = struct.pack(f"<{count}f", *(dice.gauss(0, 0.3) for _ in range(count)))
        weights += content + b"\0" * (-len(content) % ALIGNMENT)
        offset = len(weights)
    (folder / NAME).write_bytes(head + b"\0" * (-len(head) % ALIGNMENT) + weights)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
