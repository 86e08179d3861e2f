"""Draw the pages of a PDF with PDFium, and read pictures with Pillow."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import pypdfium2
from PIL import Image, ImageOps, UnidentifiedImageError

from shared.stage import Device, StageError

_POINTS_PER_INCH = 72
_HEIC = re.compile(rb".{4}ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)", re.DOTALL)
_PDF, _PDF_WITHIN = b"%PDF-", 1024  # readers take a header anywhere in the first kilobyte
_MOST_PIXELS = 200_000_000  # a picture whose header declares more is refused before it fills the memory
_HAS_PAGES = "TIFF"  # in other formats, several pictures are an animation


class Pdf:
    """An open PDF."""

    def __init__(self, media: Path) -> None:
        try:
            self._document = pypdfium2.PdfDocument(media)
            self._count = len(self._document)
        except pypdfium2.PdfiumError as error:
            expected = f"{media}: expected a PDF that can be read, found"
            if "password" in str(error).lower():
                hint = "save a copy without the password"
                raise StageError("pages.locked", f"{expected} one with a password", hint) from error
            hint = "open it in a viewer, and save it again"
            raise StageError("pages.unreadable", f"{expected} a damaged one: {error}", hint) from error

    def __len__(self) -> int:
        return self._count

    def draw(self, index: int, dpi: int, longest_side: int) -> Image.Image:
        """Return a page drawn at `dpi`, or smaller so that no side is longer than `longest_side`."""
        page = self._document[index]
        try:
            points = max(page.get_size())
            scale = min(dpi / _POINTS_PER_INCH, longest_side / max(points, 1))
            picture: Image.Image = page.render(scale=scale, may_draw_forms=True).to_pil().convert("RGB")
            return picture
        finally:
            page.close()

    def close(self) -> None:
        """Close the file."""
        self._document.close()


class Pictures:
    """An open picture file. Only TIFF has several pages."""

    def __init__(self, media: Path) -> None:
        try:
            self._picture = Image.open(media)
            self._media = media
        except UnidentifiedImageError as error:
            raise _of_another_kind(media) from error
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise _unreadable(media, str(error)) from error
        if self._picture.width * self._picture.height > _MOST_PIXELS:
            raise _unreadable(media, f"{self._picture.width} by {self._picture.height} pixels, more than is read")

    def __len__(self) -> int:
        return getattr(self._picture, "n_frames", 1) if self._picture.format == _HAS_PAGES else 1

    def draw(self, index: int, dpi: int, longest_side: int) -> Image.Image:
        """Return a page upright on white, no side longer than `longest_side`."""
        try:
            self._picture.seek(index)
            if self._picture.mode in {"1", "L", "RGB", "CMYK", "YCbCr"}:  # a JPEG is scaled down while it is decoded
                self._picture.draft("RGB", (longest_side, longest_side))
            upright = ImageOps.exif_transpose(self._picture)
            upright.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
            return _on_white(upright)
        except (OSError, EOFError, SyntaxError, ValueError) as error:
            raise _unreadable(self._media, f"a damaged one: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._picture.close()


class PdfiumPages:
    """The engine, without state."""

    def open(self, media: Path) -> Pdf | Pictures:
        """Open a file by its content. Raises `StageError` for a file that cannot be read."""
        with media.open("rb") as stream:
            is_pdf = _PDF in stream.read(_PDF_WITHIN)
        return Pdf(media) if is_pdf else Pictures(media)


def _on_white(picture: Image.Image) -> Image.Image:
    """Return a picture in colour on white: transparent parts would be black."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        if picture.mode.startswith(("I", "F")):  # a scanner's 16 bits a pixel, which would be clipped to white
            picture = picture.convert("F").point(lambda level: level * (1 / 257)).convert("L")
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(paper, layer).convert("RGB")


def _of_another_kind(media: Path) -> StageError:
    with media.open("rb") as stream:
        if not _HEIC.match(stream.read(12)):
            return _unreadable(media, "something else")
    hint = (
        "convert it to JPEG: `sips -s format jpeg IN.heic --out OUT.jpg` on macOS, `heif-convert IN.heic OUT.jpg` on"
        " Linux, from the package libheif-examples"
    )
    return _unreadable(media, "a HEIC picture, as telephones take them", hint)


def _unreadable(media: Path, found: str, hint: str = "save it as PNG or PDF") -> StageError:
    expected = "a PDF or a picture (PNG, JPEG, WebP, AVIF, TIFF, GIF, BMP)"
    return StageError("pages.unreadable", f"{media}: expected {expected}, found {found}", hint)


def load(models: Mapping[str, Path], device: Device) -> PdfiumPages:
    """Return the engine. Our limit of pixels replaces the lower one of Pillow."""
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
    return PdfiumPages()
