"""A listener of jobs for tests of single stages."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Audience:
    """Keeps what a job said."""

    warnings: list[str] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    def progress(self, done: float) -> None:
        self.done.append(done)

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def partial(self, start_ms: int, end_ms: int, text: str) -> None:
        self.shown.append(text)
