"""Names by a BERT for token classification, in transformers: labels for the pieces of words, put together to spans.

A word has the label of its first piece, as in training. A text longer than the model reads is read in parts that
overlap; where they do, the part in which a word stands farther from the edge counts.
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
_OVERLAP = 32
_MARK = re.compile(r"\[\w+\]")  # `[CLS]`, `[unused12]`: no words

Label = tuple[int, int, str, float]
"""A word's first and last character, its label (`B-PER`, `O`), and how likely that is."""


class WikiNeural:
    """The loaded model."""

    def __init__(self, folder: Path, device: Device) -> None:
        torch.set_num_threads(device.threads)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **tokenizer_options(folder))
        model = AutoModelForTokenClassification.from_pretrained(folder, local_files_only=True)
        self._model = model.to(device.kind).eval()
        self._longest = min(self._model.config.max_position_embeddings, 512)

    def find(self, texts: Sequence[str], progress: Callable[[float], None]) -> Sequence[Sequence[Span]]:
        """Group texts of similar length, each text by itself."""
        found: dict[int, list[Span]] = {}
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        for begin in range(0, len(order), _BATCH):
            some = order[begin : begin + _BATCH]
            for number, labels in zip(some, self._labels([texts[number] for number in some]), strict=True):
                found[number] = list(spans_of(labels))
            progress((begin + len(some)) / len(order))
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
    """Return what a tokenizer of the old form must be told, which is a list of words alone (`vocab.txt`): transformers
    would read it in small letters, in which a model of names finds none. A list with capitals wants them kept."""
    words, config = folder / "vocab.txt", folder / "tokenizer_config.json"
    if (folder / "tokenizer.json").is_file() or not words.is_file():
        return {}
    if config.is_file() and "do_lower_case" in json.loads(config.read_text(encoding="utf-8")):
        return {}
    entries = words.read_text(encoding="utf-8").splitlines()
    return {"do_lower_case": not any(word != word.lower() for word in entries if not _MARK.fullmatch(word))}


def spans_of(labels: Sequence[Label]) -> Iterator[Span]:
    """Yield names from labels of words: one begins with `B-`, or with `I-` where none of its kind stands before it.
    A name is as likely as its least likely word."""
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
    """Return the model from its folder."""
    return WikiNeural(models["names"], device)
