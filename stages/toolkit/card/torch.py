"""Prove that torch computes on the card: a product of matrices by cuBLAS, and a convolution by cuDNN."""

from __future__ import annotations

import torch

from shared.stage import DeviceKind

_SIZE = 64


def prove(device: DeviceKind = "cuda") -> None:
    """Raise what the library raises, if it does not compute there, or `RuntimeError`, if it computes something else."""
    matrix = torch.eye(_SIZE, device=device)
    signal = torch.ones(1, 1, _SIZE, device=device)
    convolution = torch.nn.Conv1d(1, 1, 3, bias=False).to(device)
    with torch.inference_mode():
        convolution.weight.fill_(1.0)
        found = float((matrix @ matrix).sum()), float(convolution(signal).sum())
    expected = float(_SIZE), 3.0 * (_SIZE - 2)
    if found != expected:
        raise RuntimeError(f"CUDA computes {found} where {expected} is right")
