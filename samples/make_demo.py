"""Makes the sample video demo.mp4 and its speaker times demo.rttm from demo.txt; run it with `python3 make_demo.py`.

It needs `flite` and `ffmpeg` on the PATH (`apt-get install flite ffmpeg`); the same versions give the same bytes.
"""

from __future__ import annotations

import array
import math
import shutil
import subprocess
import sys
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPT, VIDEO, SPEAKER_TIMES = HERE / "demo.txt", HERE / "demo.mp4", HERE / "demo.rttm"

SAMPLE_RATE = 16_000  # what the flite voices give; ffmpeg raises it to 48 kHz for the video
FRAME_RATE = 25
SPEECH_LEVEL = 10 ** (-20 / 20)  # root mean square of each turn, so that both voices are equally loud
PEAK_LIMIT = 10 ** (-2 / 20)  # leaves room for what AAC adds
MUSIC_LEVEL = 0.10
PAUSES = (0.40, 0.55, 0.35, 0.50, 0.45)  # seconds between turns, in rotation: equal pauses sound mechanical

VOICES = {"A": "slt", "B": "rms"}
COLOURS = {"A": (244, 166, 98), "B": (98, 196, 190)}
LEFT_EDGES = {"A": 70, "B": 330}

TITLE = "Film night with subtitles"
CHAPTERS = (("Getting ready", 0), ("The subtitles", 4))  # name, and the turn that opens it (the first opens at 0 s)

# MIDI note numbers, a step of NOTE_SECONDS each; "+" sounds notes together, "-" lets the last ones ring on.
NOTE_SECONDS = 0.2
INTRO = "48+60 64 67 72 76 72 67 64 53+65 69 72 77 55+79 74 71 -"
OUTRO = "53+65 69 72 77 55+67 71 74 79 48+60+64+67+72 - - - - - - -"


@dataclass(frozen=True)
class Turn:
    """One turn of the dialogue: who speaks, from when to when (seconds)."""

    speaker: str
    onset: float
    end: float


def run(command: list[str]) -> None:
    """Run one tool; a failure ends the program with the tool's own last line."""
    result = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or ["no message"]
        sys.exit(f"{command[0]} failed: {lines[-1]}")


def read_dialogue() -> list[tuple[str, str]]:
    """Return (speaker, text) for each line of demo.txt."""
    turns = [(line[:1], line[2:].strip()) for line in SCRIPT.read_text(encoding="utf-8").splitlines() if line.strip()]
    if any(speaker not in VOICES for speaker, _ in turns):
        sys.exit(f"Each line of {SCRIPT.name} must begin with one of: {', '.join(f'{name}:' for name in VOICES)}.")
    return turns


def speak(voice: str, text: str, folder: Path) -> list[float]:
    """Return one spoken turn, without the silence around it, at the common level."""
    path = str(folder / "turn.wav")
    run(["flite", "-voice", voice, "-t", text, "-o", path])
    with wave.open(path, "rb") as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (SAMPLE_RATE, 1, 2):
            sys.exit(f"The flite voice {voice} does not give 16 kHz mono, 16 bit.")
        pcm = array.array("h", file.readframes(file.getnframes()))
    if sys.byteorder == "big":
        pcm.byteswap()
    return level(trim([value / 32768 for value in pcm]))


def trim(samples: list[float]) -> list[float]:
    """Cut the silence at both ends, so that the speaker times are those of the voice itself."""
    threshold = 0.02 * max(abs(value) for value in samples)
    loud = [index for index, value in enumerate(samples) if abs(value) > threshold]
    margin = SAMPLE_RATE // 50  # soft consonants begin and end below the threshold
    return samples[max(0, loud[0] - margin) : loud[-1] + margin]


def level(samples: list[float]) -> list[float]:
    """Bring speech to SPEECH_LEVEL, or less where its peaks would pass PEAK_LIMIT."""
    mean = math.sqrt(sum(value * value for value in samples) / len(samples))
    gain = min(SPEECH_LEVEL / mean, PEAK_LIMIT / max(abs(value) for value in samples))
    return [value * gain for value in samples]


def play(melody: str) -> list[float]:
    """Return the melody as soft plucked notes; a sudden first note would pass for speech, so both ends are faded."""
    step = int(NOTE_SECONDS * SAMPLE_RATE)
    steps = melody.split()
    music = [0.0] * (len(steps) * step)
    for position, chord in enumerate(steps):
        for note in chord.split("+") if chord != "-" else ():
            pluck(music, position * step, 440 * 2 ** ((int(note) - 69) / 12))
    scale = MUSIC_LEVEL / max(abs(value) for value in music)
    edges = [min(1.0, index / SAMPLE_RATE, (len(music) - index) / SAMPLE_RATE) for index in range(len(music))]
    return [value * scale * edge for value, edge in zip(music, edges, strict=True)]


def pluck(music: list[float], start: int, frequency: float) -> None:
    """Add one decaying note; the higher partials die sooner, as on a string."""
    for index in range(start, len(music)):
        seconds = (index - start) / SAMPLE_RATE
        angle = 2 * math.pi * frequency * seconds
        tone = sum(math.sin(partial * angle) * math.exp(-3 * partial * seconds) / partial**2 for partial in (1, 2, 3))
        music[index] += tone * min(1.0, seconds / 0.01)


def compose(dialogue: list[tuple[str, str]], folder: Path) -> tuple[list[float], list[Turn]]:
    """Return the whole sound, intro to outro, and where each turn lies in it."""
    sound, turns = play(INTRO), []
    for number, (speaker, text) in enumerate(dialogue):
        sound += [0.0] * int(PAUSES[number % len(PAUSES)] * SAMPLE_RATE)
        onset = len(sound)
        sound += speak(VOICES[speaker], text, folder)
        turns.append(Turn(speaker, onset / SAMPLE_RATE, len(sound) / SAMPLE_RATE))
    sound += [0.0] * (SAMPLE_RATE // 2) + play(OUTRO)
    sound += [0.0] * (-len(sound) % (SAMPLE_RATE // FRAME_RATE))  # whole frames: sound and picture end together
    return sound, turns


def write_sound(path: Path, samples: list[float]) -> None:
    """Write mono 16-bit PCM."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, len(samples), "NONE", ""))
        file.writeframes(b"".join(round(value * 32767).to_bytes(2, "little", signed=True) for value in samples))


def write_chapters(path: Path, turns: list[Turn], duration: float) -> None:
    """Write the title and the chapters in ffmpeg's metadata format."""
    starts = [0 if turn == 0 else round(turns[turn].onset * 1000) for _, turn in CHAPTERS] + [round(duration * 1000)]
    text = f";FFMETADATA1\ntitle={TITLE}\n"
    for (name, _), start, end in zip(CHAPTERS, starts, starts[1:], strict=False):
        text += f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={name}\n"
    path.write_text(text, encoding="utf-8")


def figure(speaker: str, lit: bool) -> str:
    """Return the filter that draws one speaker (head and shoulders), with a halo when lit."""
    red, green, blue = COLOURS[speaker]
    head = "clip(40-hypot(X-120,Y-88),0,1)"
    shoulders = "clip(66-66*hypot((X-120)/72,(Y-204)/66)+0.5,0,1)*lt(Y,204)"
    halo = "0.35*pow(clip(1-hypot(X-120,Y-125)/118,0,1),1.5)"
    opacity = f"max(max({head},{shoulders}),{halo})" if lit else f"0.35*max({head},{shoulders})"
    # One frame is enough: overlay repeats the last one it was given.
    source = f"color=s=240x240:r={FRAME_RATE}:d={1 / FRAME_RATE},format=rgba"
    return f"{source},geq=r={red}:g={green}:b={blue}:a='255*{opacity}'"


def picture(turns: list[Turn], duration: float) -> str:
    """Return the filter graph: two speakers before a slow gradient, each lit while they speak."""
    colours = "c0=0x16203c:c1=0x43285a:c2=0x1d3a4a:nb_colors=3"
    parts = [f"gradients=s=640x360:r={FRAME_RATE}:d={duration}:{colours}:speed=0.004:seed=5,format=rgb24[p0]"]
    layer = 0
    for speaker, left in LEFT_EDGES.items():
        speaking = "+".join(f"between(t,{turn.onset},{turn.end})" for turn in turns if turn.speaker == speaker)
        for lit, when in ((False, f"not({speaking})"), (True, speaking)):
            parts.append(f"{figure(speaker, lit)}[s{layer}]")
            parts.append(f"[p{layer}][s{layer}]overlay={left}:45:enable='{when}'[p{layer + 1}]")
            layer += 1
    return ";".join([*parts, f"[p{layer}]format=yuv420p[out]"])


def encode(sound: Path, chapters: Path, turns: list[Turn], duration: float) -> None:
    """Write demo.mp4; one thread and the bitexact flags keep it the same on every run."""
    picture_options = ["-c:v", "libx264", "-preset", "slow", "-crf", "26", "-threads", "1", "-g", str(4 * FRAME_RATE)]
    sound_options = ["-c:a", "aac", "-b:a", "96k", "-ar", "48000", "-metadata:s:a:0", "language=eng"]
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(sound), "-i", str(chapters)]
    command += ["-filter_complex_threads", "1", "-filter_complex", picture(turns, duration), "-map", "[out]"]
    command += ["-map", "0:a", "-map_metadata", "1", "-map_chapters", "1", *picture_options, *sound_options]
    command += ["-t", str(duration), "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"]
    run([*command, "-movflags", "+faststart", str(VIDEO)])


def main() -> None:
    """Make both files next to this script."""
    for tool in ("flite", "ffmpeg"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not on the PATH: install it, for example with `apt-get install {tool}`.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples, turns = compose(read_dialogue(), folder)
        duration = len(samples) / SAMPLE_RATE
        write_sound(folder / "sound.wav", samples)
        write_chapters(folder / "chapters.txt", turns, duration)
        encode(folder / "sound.wav", folder / "chapters.txt", turns, duration)
    line = "SPEAKER demo 1 {0:.3f} {1:.3f} <NA> <NA> {2} <NA> <NA>\n"
    SPEAKER_TIMES.write_text("".join(line.format(t.onset, t.end - t.onset, t.speaker) for t in turns), encoding="utf-8")


if __name__ == "__main__":
    main()
