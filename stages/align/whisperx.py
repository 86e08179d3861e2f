"""Time words by forced alignment, with WhisperX.

A wav2vec 2.0 network for the language gives the probability of each letter at each time. The most probable path that
spells the text gives the times of its words (Kürzinger et al. 2020). The library's own `align` divides the text into
words and sentences again, and leaves some out; this backend aligns all words of the transcript.
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
from stages.align.ctc_words import WILDCARD, Group, Token, groups_of, place_words, tokens_of
from stages.toolkit.ahead import ahead
from stages.toolkit.audio.waveform import Samples, Waveform, open_speech

_SHORTEST = 400  # samples: the receptive field of the network's first layers
_BLANKS = ("[pad]", "<pad>")  # names of the CTC blank; without either it is number 0


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
        """Return the times of the letters, in ms from the beginning of `length` samples; None if there are more letters
        than frames or no path spells them."""
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
        """Return the log probabilities, float32[frames, letters + 1]. The last column is the wildcard's: that of the
        most probable letter."""
        sound = torch.from_numpy(samples)[None]
        sound = torch.nn.functional.pad(sound, (0, max(_SHORTEST - sound.shape[1], 0))).to(self._device)
        with torch.inference_mode():
            raw = self._network(sound)[0] if self._by_torchaudio else self._network(sound).logits
            emission = torch.log_softmax(raw, dim=-1)[0].cpu()
        letters = [code for code in range(emission.size(1)) if code != self._blank]
        return torch.cat([emission, emission[:, letters].max(dim=1, keepdim=True).values], dim=1)


@dataclass(frozen=True)
class _Emission:
    """A group of segments with its words and the aligner's output for it; none if there is nothing to align."""

    group: Group
    words: Sequence[Word]
    aligner: Aligner | None = None
    tokens: Sequence[Token] = ()
    emission: torch.Tensor | None = None
    length: int = 0

    def timed_words(self) -> Sequence[Word]:
        """Return the words with the times of their letters; unchanged if these were not found."""
        if self.aligner is None or self.emission is None:
            return self.words
        spans = self.aligner.spans(self.emission, self.tokens, self.length)
        if spans is None:
            return self.words
        times = [(self.group.start_ms + start, self.group.start_ms + end) for start, end in spans]
        return place_words(self.words, self.tokens, times, self.group.start_ms, self.group.end_ms)


class WhisperXAligner:
    """The aligners by language. With `ahead_of_search`, a network processes the next group during the search for the
    letters of the last one: the search is Python on one core, and a card would wait for it."""

    def __init__(self, aligners: Mapping[str, Aligner], *, ahead_of_search: bool) -> None:
        self._aligners, self._ahead_of_search = aligners, ahead_of_search
        self.languages: frozenset[str] | None = frozenset(aligners)

    def align(self, audio: Path, transcript: Transcript) -> Iterator[Sequence[Word]]:
        """Yield the words of each segment with the times at which they were found. A word that was not found keeps its
        times."""
        emissions = self._emissions(open_speech(audio), transcript)
        for emission in ahead(emissions) if self._ahead_of_search else emissions:
            found = iter(emission.timed_words())
            for number in emission.group.segments:
                yield [next(found) for _ in transcript.segments[number].words]

    def _emissions(self, waveform: Waveform, transcript: Transcript) -> Iterator[_Emission]:
        for group in groups_of(transcript.segments, waveform.duration_ms):
            segments = [transcript.segments[number] for number in group.segments]
            words = [word for segment in segments for word in segment.words]
            aligner = self._aligners.get(primary(segments[0].language or transcript.language))
            tokens = tokens_of(words, aligner.alphabet) if aligner else ()
            samples = waveform.read(group.start_ms, group.end_ms)
            if aligner and tokens and len(samples):
                yield _Emission(group, words, aligner, tokens, aligner.emission(samples), len(samples))
            else:
                yield _Emission(group, words)


def load(models: Mapping[str, Path], device: Device) -> WhisperXAligner:
    """Load the aligner of each language in `models`, from its folder."""
    torch.set_num_threads(device.threads)
    aligners = {language: _load(language, folder, device) for language, folder in models.items()}
    return WhisperXAligner(aligners, ahead_of_search=device.kind != "cpu")


def _load(language: str, folder: Path, device: Device) -> Aligner:
    """Load a network with transformers if its folder has a configuration, else with the torchaudio bundle that names
    its file. Raises `ValueError` if there is no such bundle."""
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
