"""Find names with a BERT for token classification, in transformers: label word pieces, and join them to spans.

A word has the label of its first piece, as in training. A text that is too long for the model is divided into parts
that overlap; a word in two of them has the label of the part in which it is farther from the edge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

from shared.stage import Device
from stages.entities.stage import Kind, Span

_BATCH = 8
_KINDS: dict[str, Kind] = {"PER": "person", "LOC": "place", "ORG": "organisation", "MISC": "other"}
_OVERLAP = 32  # tokens that two parts of a long text share
_MARK = re.compile(r"\[\w+\]")  # `[CLS]`, `[unused12]`: these are not words

Label = tuple[int, int, str, float]
"""The start and the end of a word, its label (`B-PER`, `O`), and the probability of the label."""


class WikiNeural:
    """The loaded model."""

    def __init__(self, folder: Path, device: Device) -> None:
        torch.set_num_threads(device.threads)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **tokenizer_options(folder))
        model = AutoModelForTokenClassification.from_pretrained(folder, local_files_only=True)
        self._model = model.to(device.kind).eval()
        self._longest = min(self._model.config.max_position_embeddings, 512)

    def find(self, texts: Sequence[str], progress: Callable[[float], None]) -> Sequence[Sequence[Span]]:
        """Return the names in each text. Texts of similar length are processed together."""
        found: dict[int, list[Span]] = {}
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        for begin in range(0, len(order), _BATCH):
            batch = order[begin : begin + _BATCH]
            for number, labels in zip(batch, self._labels([texts[number] for number in batch]), strict=True):
                found[number] = list(spans_of(labels))
            progress((begin + len(batch)) / len(order))
        return [found[number] for number in range(len(texts))]

    def _labels(self, texts: Sequence[str]) -> list[list[Label]]:
        encoded = self._tokenizer(
            list(texts), truncation=True, max_length=self._longest, stride=min(_OVERLAP, self._longest // 4),
            padding=True, return_tensors="pt", return_offsets_mapping=True, return_overflowing_tokens=True,
        )  # fmt: skip
        offsets, owners = encoded.pop("offset_mapping").tolist(), encoded.pop("overflow_to_sample_mapping").tolist()
        with torch.inference_mode():
            scores = self._model(**encoded.to(self._model.device)).logits.float().softmax(dim=-1).cpu()
        best: list[dict[int, tuple[int, Label]]] = [{} for _ in texts]
        for part, owner in enumerate(owners):
            words = encoded.word_ids(part)
            inner = [place for place, word in enumerate(words) if word is not None]
            for place in inner:
                start = offsets[part][place][0]
                if place > inner[0] and words[place] == words[place - 1]:
                    continue
                last = place
                while last + 1 < len(words) and words[last + 1] == words[place]:
                    last += 1
                likely, number = scores[part][place].max(dim=-1)
                name = self._model.config.id2label[int(number)]
                label = start, offsets[part][last][1], name, float(likely)
                from_edge = min(place - inner[0], inner[-1] - last)
                if start not in best[owner] or from_edge > best[owner][start][0]:
                    best[owner][start] = from_edge, label
        return [[label for _, (_, label) in sorted(labels.items())] for labels in best]


def tokenizer_options(folder: Path) -> dict[str, bool]:
    """Return the options for a tokenizer in the old form, which has only a list of words (`vocab.txt`).

    transformers would convert its texts to lower case, in which the model finds no names. If the list has capitals, the
    texts must keep theirs.
    """
    words, config = folder / "vocab.txt", folder / "tokenizer_config.json"
    if (folder / "tokenizer.json").is_file() or not words.is_file():
        return {}
    if config.is_file() and "do_lower_case" in json.loads(config.read_text(encoding="utf-8")):
        return {}
    entries = words.read_text(encoding="utf-8").splitlines()
    return {"do_lower_case": not any(word != word.lower() for word in entries if not _MARK.fullmatch(word))}


def spans_of(labels: Sequence[Label]) -> Iterator[Span]:
    """Yield the names from the labels of words. A name begins with `B-`, or with `I-` if the word before has another
    kind. Its confidence is that of its least probable word."""
    held: Span | None = None
    for start, end, label, likely in labels:
        mark, _, name = label.partition("-")
        kind = _KINDS.get(name)
        if held and kind == held.kind and mark == "I":
            held = Span(held.start, end, kind, min(held.confidence, likely))
            continue
        if held:
            yield held
        held = Span(start, end, kind, likely) if kind else None
    if held:
        yield held


def load(models: Mapping[str, Path], device: Device) -> WikiNeural:
    """Load the model from its folder."""
    return WikiNeural(models["names"], device)
