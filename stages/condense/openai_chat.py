"""Condense through a service with OpenAI's chat interface."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.stage import Device
from stages.condense.llm import Condenser
from stages.toolkit.llm.openai_chat import connect


def load(models: Mapping[str, Path], device: Device) -> Condenser:
    return Condenser(connect(models, device))
