"""Find turns if each of two people has a channel of the recording: the one on the louder channel speaks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from shared.documents.channel_levels import ChannelLevels
from shared.documents.speech import Region
from stages.diarize.speakers import Speakers, SpeakerTurn

_LEAK_DB = 10  # a channel this much quieter than the other has only the leak of the other's voice
_RANGE_DB = 30  # between the loud and the quiet sounds of a voice
_LOUD_SHARE = 0.9  # of a person's frames are quieter than the level that counts as loud
_PAUSE_MS = 500  # a shorter pause does not end a turn
_SHORTEST_MS = 150


def turns_by_channel(levels: ChannelLevels, regions: Sequence[Region]) -> Speakers:
    """Return the turns of the two people inside the speech regions. Both may speak at once."""
    sides = (levels.left, levels.right)
    floors = [_floor(own, other) for own, other in (sides, sides[::-1])]
    turns: list[SpeakerTurn] = []
    exclusive: list[SpeakerTurn] = []
    for region in regions:
        first = region.start_ms // levels.frame_ms
        loudness = list(zip(*(side[first : -(-region.end_ms // levels.frame_ms)] for side in sides), strict=True))
        speaks = [[pair[side] >= max(floors[side], pair[1 - side] - _LEAK_DB) for pair in loudness] for side in (0, 1)]
        louder = [int(right > left) for left, right in loudness]
        owners = [loud if both[loud] else None for loud, both in zip(louder, zip(*speaks, strict=True), strict=True)]
        for side in (0, 1):
            own = [side if spoken else None for spoken in speaks[side]]
            turns += _turns(own, region, levels.frame_ms)
        exclusive += _turns(owners, region, levels.frame_ms)
    return Speakers(turns, exclusive)


def _floor(own: Sequence[int], other: Sequence[int]) -> float:
    """Return the level in dB below which a channel has no voice."""
    louder = sorted(level for level, other_level in zip(own, other, strict=True) if level > other_level)
    return louder[int(len(louder) * _LOUD_SHARE)] - _RANGE_DB if louder else 0


def _turns(owners: Sequence[int | None], region: Region, frame_ms: int) -> list[SpeakerTurn]:
    """Return the turns of a region from the speaker of each frame. A short pause does not end a turn."""
    found: list[SpeakerTurn] = []
    for owner, group in groupby(enumerate(owners, region.start_ms // frame_ms), key=lambda frame: frame[1]):
        frames = [frame for frame, _ in group]
        start, end = max(frames[0] * frame_ms, region.start_ms), min((frames[-1] + 1) * frame_ms, region.end_ms)
        if owner is None or end - start < _SHORTEST_MS:
            continue
        if found and found[-1].speaker == owner and start - found[-1].end_ms <= _PAUSE_MS:
            start = found.pop().start_ms
        found.append(SpeakerTurn(start, end, owner))
    return found
