"""Read text with Nanonets OCR-s, a Qwen2.5-VL that writes down the text of a picture, in transformers.

It does not give the places of texts, so its lines have none. It is slow, so a picture that does not differ from the one
before is skipped. The processor class of the model would need torchvision for films, which it does not get here; so
this module builds the input from picture and prompt, as that class does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from shared.documents.media import Media
from shared.stage import Device
from stages.ocr.stage import Look, OcrParams, Reading
from stages.toolkit.media.frames import Pixels, frames
from stages.toolkit.media.page_pixels import page_pixels

_TASK = (
    "Write down the text that can be read in this picture, line by line, exactly as it stands there. Write nothing"
    " else. If there is no text, write nothing."
)
_PROMPT = "<|im_start|>user\n<|vision_start|>{picture}<|vision_end|>{task}<|im_end|>\n<|im_start|>assistant\n"
_PICTURE = "<|image_pad|>"
_MOST_TOKENS = 128  # of the text in a picture of a film
_MOST_LINES = 8  # of a picture of a film
_MOST_TOKENS_OF_PAGE = 4096


class Nanonets:
    """The loaded model."""

    def __init__(self, folder: Path, device: Device) -> None:
        torch.set_num_threads(device.threads)
        dtype = torch.float32 if device.kind == "cpu" else torch.bfloat16
        self._pictures = Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, local_files_only=True, dtype=dtype)
        self._model = model.to(device.kind).eval()

    def watch(self, media: Path, info: Media, params: OcrParams, progress: Callable[[float], None]) -> Iterator[Look]:
        """Read the pictures of a film, one after the other."""
        seen: tuple[Reading, ...] = ()
        for frame in frames(media, info, params.every_s, params.width, params.region):
            if frame.changed:
                seen = _readings(self._read(frame.pixels, _MOST_TOKENS)[:_MOST_LINES])
            yield Look(frame.at_ms, seen)
            progress(frame.at_ms / max(info.duration_ms, 1))

    def read_page(self, picture: Path, params: OcrParams) -> tuple[Reading, ...]:
        """Return the lines of a page."""
        return _readings(self._read(page_pixels(picture, params.region), _MOST_TOKENS_OF_PAGE))

    def _read(self, pixels: Pixels, most_tokens: int) -> list[str]:
        picture = self._pictures(Image.fromarray(pixels[:, :, ::-1]), return_tensors="pt")
        places = int(picture["image_grid_thw"].prod()) // self._pictures.merge_size**2
        prompt = self._tokenizer(_PROMPT.format(picture=_PICTURE * places, task=_TASK), return_tensors="pt")
        given = {**prompt, **picture}
        given["mm_token_type_ids"] = (prompt["input_ids"] == self._model.config.image_token_id).long()
        given.pop("token_type_ids", None)
        on_device = {name: value.to(self._model.device) for name, value in given.items()}
        with torch.inference_mode():
            written = self._model.generate(**on_device, max_new_tokens=most_tokens, do_sample=False)
        text = self._tokenizer.decode(written[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
        return [line.strip() for line in text.splitlines() if line.strip()]


def _readings(lines: list[str]) -> tuple[Reading, ...]:
    return tuple(Reading(line, measured=False) for line in lines)


def load(models: Mapping[str, Path], device: Device) -> Nanonets:
    """Load the model from its folder."""
    return Nanonets(models["reader"], device)
