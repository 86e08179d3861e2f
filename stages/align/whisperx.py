"""Word times by forced alignment, with WhisperX: a wav2vec 2.0 network for the language says which letter sounds when,
and the cheapest way through its answer that spells the text says where each word is (Kürzinger et al. 2020).

The library's own `align` cuts text into words and sentences once more, and leaves some out; here the words are those of
the transcript, all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torchaudio
from whisperx.alignment import DEFAULT_ALIGN_MODELS_TORCH, backtrack, get_trellis, load_align_model, merge_repeats

from shared.documents.transcript import Transcript, Word
from shared.stage import Device
from shared.text.language import primary
from stages.align.ctc_words import WILDCARD, Group, Token, groups_of, place, tokens_of
from stages.toolkit.ahead import ahead
from stages.toolkit.audio.waveform import Samples, Waveform, open_speech

_SHORTEST = 400  # samples: what the network's first layers see at once
_BLANKS = ("[pad]", "<pad>")  # what the blank of CTC is called; without either it is number 0


class Aligner:
    """A loaded network for one language, with its alphabet."""

    def __init__(self, network: torch.nn.Module, metadata: Mapping[str, object], device: torch.device) -> None:
        self._network, self._device = network.eval(), device
        self._by_torchaudio = metadata["type"] == "torchaudio"
        alphabet = metadata["dictionary"]
        assert isinstance(alphabet, dict)
        self.alphabet: Mapping[str, int] = alphabet
        self._blank = next((alphabet[name] for name in _BLANKS if name in alphabet), 0)

    def spans(self, emission: torch.Tensor, tokens: Sequence[Token], length: int) -> list[tuple[int, int]] | None:
        """Return when each letter sounds, in ms from the beginning of `length` samples; None if they cannot all be said
        in that time."""
        codes = [token.code if token.code != WILDCARD else emission.size(1) - 1 for token in tokens]
        if len(codes) > emission.size(0):
            return None
        path = backtrack(get_trellis(emission, codes, self._blank), emission, codes, self._blank)
        if path is None:
            return None
        ms = length / 16 / emission.size(0)
        letters = merge_repeats(path, [str(token.code) for token in tokens])
        return [(round(letter.start * ms), round(letter.end * ms)) for letter in letters]

    def emission(self, samples: Samples) -> torch.Tensor:
        """Return float32[frames, letters + 1]: log probabilities; the last is the wildcard's, equal to the best
        letter's."""
        sound = torch.from_numpy(samples)[None]
        sound = torch.nn.functional.pad(sound, (0, max(_SHORTEST - sound.shape[1], 0))).to(self._device)
        with torch.inference_mode():
            raw = self._network(sound)[0] if self._by_torchaudio else self._network(sound).logits
            emission = torch.log_softmax(raw, dim=-1)[0].cpu()
        letters = [code for code in range(emission.size(1)) if code != self._blank]
        return torch.cat([emission, emission[:, letters].max(dim=1, keepdim=True).values], dim=1)


@dataclass(frozen=True)
class _Heard:
    """A group of segments with its words and, unless there is nothing to find, what an aligner heard in it."""

    group: Group
    words: Sequence[Word]
    aligner: Aligner | None = None
    tokens: Sequence[Token] = ()
    emission: torch.Tensor | None = None
    length: int = 0

    def placed(self) -> Sequence[Word]:
        """Return the words where their letters were found; unchanged if they were not."""
        if self.aligner is None or self.emission is None:
            return self.words
        spans = self.aligner.spans(self.emission, self.tokens, self.length)
        if spans is None:
            return self.words
        times = [(self.group.start_ms + start, self.group.start_ms + end) for start, end in spans]
        return place(self.words, self.tokens, times, self.group.start_ms, self.group.end_ms)


class WhisperXAligner:
    """The aligners there are, by language. With `beside`, a network hears the next group while the letters of the last
    are searched: the search is Python on one core, and a card would wait for it."""

    def __init__(self, aligners: Mapping[str, Aligner], *, beside: bool) -> None:
        self._aligners, self._beside = aligners, beside
        self.languages: frozenset[str] | None = frozenset(aligners)

    def align(self, audio: Path, transcript: Transcript) -> Iterator[Sequence[Word]]:
        """Return the words of each segment with the times at which they were found; a word that was not found keeps
        its times."""
        heard = self._hear(open_speech(audio), transcript)
        for heard_group in ahead(heard) if self._beside else heard:
            found = iter(heard_group.placed())
            for number in heard_group.group.segments:
                yield [next(found) for _ in transcript.segments[number].words]

    def _hear(self, waveform: Waveform, transcript: Transcript) -> Iterator[_Heard]:
        for group in groups_of(transcript.segments, waveform.duration_ms):
            segments = [transcript.segments[number] for number in group.segments]
            words = [word for segment in segments for word in segment.words]
            aligner = self._aligners.get(primary(segments[0].language or transcript.language))
            tokens = tokens_of(words, aligner.alphabet) if aligner else ()
            samples = waveform.read(group.start_ms, group.end_ms)
            if aligner and tokens and len(samples):
                yield _Heard(group, words, aligner, tokens, aligner.emission(samples), len(samples))
            else:
                yield _Heard(group, words)


def load(models: Mapping[str, Path], device: Device) -> WhisperXAligner:
    """Load the aligner of each language in `models`, from its folder."""
    torch.set_num_threads(device.threads)
    aligners = {language: _load(language, folder, device) for language, folder in models.items()}
    return WhisperXAligner(aligners, beside=device.kind != "cpu")


def _load(language: str, folder: Path, device: Device) -> Aligner:
    """Load the network: a folder with a configuration is of transformers; else it holds the file that a torchaudio
    bundle names."""
    if (folder / "config.json").exists():
        network, metadata = load_align_model(language, device.kind, model_name=str(folder), model_cache_only=True)
    else:
        names = {file.name for file in folder.iterdir()}
        bundles = DEFAULT_ALIGN_MODELS_TORCH.values()
        bundle = next((name for name in bundles if getattr(torchaudio.pipelines, name)._path in names), None)
        if bundle is None:
            raise ValueError(f"{folder} holds {', '.join(sorted(names))}, and no torchaudio bundle has such a file")
        network, metadata = load_align_model(language, device.kind, model_name=bundle, model_dir=str(folder))
    return Aligner(network, metadata, torch.device(device.kind))
