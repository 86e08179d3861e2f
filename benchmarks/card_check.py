"""Try on this machine's card what reel says of NVIDIA cards: about six minutes with the profile `best`.

    .venvs/core/bin/python benchmarks/card_check.py [--profile best] [--repeats 5] [--device cuda]

Everything must be set up before: `./bootstrap.sh --cache-models`. It asks `reel doctor`, transcribes the sample several
times into a folder of its own, and prints a line for each claim with what was found. `--device cpu` rehearses it on a
machine without a card, where `--repeats 1` is enough. Exits with 1 if a claim does not hold. The lines belong into
`docs/how-to/use-a-card.md`, section "What is proven".
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the project is not a package

from pipeline.base.project import CODE_ROOT  # noqa: E402
from pipeline.base.settings import load_settings  # noqa: E402
from pipeline.engine.project import open_project  # noqa: E402
from pipeline.environments.ffmpeg import FFMPEG  # noqa: E402
from shared.documents.transcript import Transcript  # noqa: E402

SAMPLE = ROOT / "samples" / "demo.mp4"
_LIMIT_S = 240.0
_SAME_WORDS = 0.98  # of the words of a processor, which rounds otherwise
_ONE_BY_ONE = ("asr.batch_size=1", "separate.segment=7.8")  # 7.8 s is the full length, which Demucs then hears alone
_FREE_MB = 1200  # that a program which fills the card leaves
_FILL = (
    "import time, torch; free = torch.cuda.mem_get_info()[0];"
    f" held = torch.empty(max(free - {_FREE_MB} * 10**6, 1), dtype=torch.uint8, device='cuda');"
    " print('filled', flush=True); time.sleep(600)"
)


@dataclass(frozen=True)
class Outcome:
    """A run that has ended: its exit status, what `reel runs show` tells, the transcripts, and what it warned of."""

    status: int
    shown: dict[str, Any]
    transcripts: dict[str, Path]
    warnings: str

    @property
    def seconds(self) -> dict[str, float]:
        """Return the seconds of each stage, all files together."""
        stages = self.shown.get("summary", {}).get("stages", ())
        return {stage["step"]: stage["seconds"] for stage in stages if stage["done"]}


class Bench:
    """Runs reel in a folder of its own, and keeps the claims that were tried."""

    def __init__(self, folder: Path, profile: str, device: str) -> None:
        self.folder, self._profile, self.device = folder, profile, device
        self._runs = 0
        self.failed = 0

    def reel(self, results: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command of reel with this place for results."""
        environment = {
            **os.environ, "REEL_PROFILE": self._profile, "REEL_RESULTS_DIR": str(results), "REEL_OFFLINE": "true",
            "REEL_OUTPUT_DIR": str(results / "published"),
        }  # fmt: skip
        command = [str(ROOT / "reel"), *map(str, words)]
        return subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8", timeout=_LIMIT_S, cwd=self.folder
        )

    def transcribe(self, *media: Path, device: str = "", settings: tuple[str, ...] = ()) -> Outcome:
        """Transcribe these files, with nothing in the store."""
        self._runs += 1
        results = self.folder / f"results{self._runs}"
        chosen = [word for setting in (f"device={device or self.device}", *settings) for word in ("--set", setting)]
        done = self.reel(results, "run", *media, "--recipe", "transcribe", "--progress", "plain", *chosen)
        shown = json.loads(self.reel(results, "runs", "show", "--json").stdout or "{}").get("data", {})
        published = {path.parent.name: path for path in sorted((results / "published").glob("*/transcript.json"))}
        return Outcome(done.returncode, shown, published, done.stderr)

    def claim(self, what: str, found: str, *, holds: bool | None) -> None:
        """Print a claim with what was found; None where this machine cannot tell."""
        self.failed += holds is False
        print(f"{ {True: 'holds', False: 'DIFFERS', None: '-'}[holds]:8} {what}: {found}", flush=True)


def main() -> int:
    """Try the claims, and return 1 if one does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="best")
    parser.add_argument("--repeats", type=int, default=5, help="times that the long film repeats the sample")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reel-card-") as folder:
        bench = Bench(Path(folder), arguments.profile, arguments.device)
        short, film = Path(folder) / "short.mp4", Path(folder) / "film.mkv"
        short.write_bytes(SAMPLE.read_bytes())
        _repeat(film, arguments.repeats)
        _try_machine(bench)
        alone = bench.transcribe(short)
        if alone.status:
            print(alone.warnings)
            return 1
        _try_promises(bench, alone, short, film)
        _try_speed(bench, film)
        _try_full_card(bench, short)
    return 1 if bench.failed else 0


def _try_machine(bench: Bench) -> None:
    """Ask `doctor` what computes on the card."""
    checks = json.loads(bench.reel(bench.folder / "doctor", "doctor", "--json").stdout)["data"]["checks"]
    rows = [check for check in checks if check["what"].startswith(("card", "hardware"))]
    for row in rows:
        print(f"{row['state']:8} {row['what']}: {row['detail']}", flush=True)
    proved = [row for row in rows if row["detail"] == "computes on the card"]
    holds = bool(proved) if bench.device == "cuda" else None
    bench.claim("the libraries compute on the card", f"{len(proved)} proved", holds=holds)


def _try_promises(bench: Bench, alone: Outcome, short: Path, film: Path) -> None:
    """Compare a file alone with the same beside another, and with the processor."""
    first = alone.transcripts["short"].read_bytes()
    beside = bench.transcribe(film, short)
    same = beside.status == 0 and beside.transcripts["short"].read_bytes() == first
    bench.claim("a file gives the same bytes beside another", "the same" if same else "other bytes", holds=same)
    for card in beside.shown.get("summary", {}).get("cards", ()):
        busy = "unknown" if card["busy"] is None else f"{100 * card['busy']:.0f} %"
        print(f"         {card['name']}: {card['peak_mb']:.0f} of {card['total_mb']:.0f} MB at most, busy {busy}")
    for worker in beside.shown.get("workers", ()):
        if worker["peak_gpu_memory_mb"]:
            print(f"         {worker['label']}: {worker['peak_gpu_memory_mb']:.0f} MB of the card at most")
    if bench.device == "cuda":
        processor = bench.transcribe(short, device="cpu")
        likeness = SequenceMatcher(None, _words(alone.transcripts["short"]), _words(processor.transcripts["short"]))
        holds = likeness.ratio() >= _SAME_WORDS
        bench.claim("card and processor hear the same words", f"{100 * likeness.ratio():.1f} %", holds=holds)


def _try_speed(bench: Bench, film: Path) -> None:
    """Time the long film in batches and one by one."""
    batches, one_by_one = bench.transcribe(film), bench.transcribe(film, settings=_ONE_BY_ONE)
    for stage, seconds in batches.seconds.items():
        slower = one_by_one.seconds.get(stage)
        told = f"{seconds:.1f} s" + (f", one by one {slower:.1f} s" if slower and stage in {"asr", "separate"} else "")
        print(f"         {stage}: {told}", flush=True)
    saved = [one_by_one.seconds.get(stage, 0.0) - batches.seconds.get(stage, 0.0) for stage in ("asr", "separate")]
    holds = saved[0] > 0 if bench.device == "cuda" else None
    bench.claim("batches are faster than one by one", f"{saved[0]:.1f} and {saved[1]:.1f} s saved", holds=holds)


def _try_full_card(bench: Bench, short: Path) -> None:
    """Transcribe while another program fills the card: nothing may fail."""
    python = ROOT / ".venvs" / "speech" / "bin" / "python"
    if bench.device != "cuda" or not python.exists():
        bench.claim("a full card costs no file", "not tried, since only torch on a card can fill it", holds=None)
        return
    with subprocess.Popen([python, "-c", _FILL], stdout=subprocess.PIPE, encoding="utf-8") as filling:
        assert filling.stdout is not None
        filling.stdout.readline()
        try:
            full = bench.transcribe(short)
        finally:
            filling.kill()
    told = next((line for line in full.warnings.splitlines() if "runs again" in line or "card" in line), "no word")
    bench.claim("a full card costs no file", told.strip(), holds=full.status == 0)


def _words(transcript: Path) -> list[str]:
    read = Transcript.read(transcript)
    return [word.text.casefold() for segment in read.segments for word in segment.words]


def _repeat(film: Path, times: int) -> None:
    """Write a film that repeats the sample."""
    project = open_project(load_settings(CODE_ROOT / "config" / "defaults.toml", CODE_ROOT / "none.toml", {}, {})[0])
    ffmpeg = project.installed.tools.folder(project.installed.tool) / FFMPEG
    before = ["-v", "error", "-stream_loop", str(times - 1), "-i", str(SAMPLE)]
    subprocess.run([ffmpeg, *before, "-map", "0:v:0", "-map", "0:a:0", "-c", "copy", str(film)], check=True)


if __name__ == "__main__":
    sys.exit(main())
