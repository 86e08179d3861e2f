"""The resources of a machine of a Ray cluster, in our terms and in those of Ray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.base.hardware import UNKNOWN_CARD_MB
from pipeline.workers.capacity import Host

_LEAST_SHARE = 0.01  # of a GPU; Ray counts in parts of ten thousand
_NOT_LABELS = ("CPU", "GPU", "memory", "object_store_memory", "node:", "accelerator_type:")


def host_of(name: str, resources: Mapping[str, float], cards_mb: Sequence[float]) -> Host:
    """Return a machine with Ray's resources for it. Those that Ray does not define are labels."""
    count = int(resources.get("GPU", 0))
    cards = [*cards_mb, *[UNKNOWN_CARD_MB] * count][:count]
    labels = {label: amount for label, amount in resources.items() if not label.startswith(_NOT_LABELS)}
    return Host(name, int(resources.get("CPU", 0)), resources.get("memory", 0.0) / 1e6, tuple(cards), labels)


def gpu_share(needed_mb: float, card_mb: float) -> float:
    """Return the share of a GPU to request from Ray, which then chooses the GPU."""
    return min(max(round(needed_mb / card_mb, 4), _LEAST_SHARE), 1.0)
