"""The containers of media files: ffmpeg's name of each, with the suffixes of its files.

`demux` and `mux` open these formats and no others, and folders are searched for these suffixes. So a search finds every
file that can be opened, and no other file.
"""

from __future__ import annotations

# Containers that hold their media themselves. Left out on purpose: playlists, `concat`, HLS, DASH, SDP and the picture
# sequences, which make ffmpeg open files and addresses named in them. ffmpeg gives some formats several names.
CONTAINERS: dict[str, tuple[str, ...]] = {
    "3gp": (".3g2", ".3ga", ".3gp", ".3gp2", ".3gpp", ".k3g"),
    "aac": (".aac", ".adt", ".adts"),
    "ac3": (".ac3",),
    "aiff": (".aif", ".aifc", ".aiff"),
    "amr": (".amr",),
    "amrnb": (".amr",),
    "amrwb": (".awb",),
    "ape": (".ape", ".mac"),
    "asf": (".asf", ".dvr-ms", ".wm", ".wma", ".wmv"),
    "au": (".au", ".snd"),
    "avi": (".avi", ".divx", ".xvid"),
    "caf": (".caf",),
    "dts": (".dts",),
    "dtshd": (".dtshd", ".dtsma"),
    "dv": (".dif", ".dv"),
    "eac3": (".ec3", ".eac3"),
    "flac": (".flac",),
    "flv": (".flv",),
    "gxf": (".gxf",),
    "loas": (".latm", ".loas"),
    "m4a": (".f4a", ".f4b", ".m4a", ".m4b", ".m4r"),
    "matroska": (".mk3d", ".mka", ".mkv"),
    "mov": (".mov", ".mqv", ".qt"),
    "mp3": (".m2a", ".mp1", ".mp2", ".mp3", ".mpa"),
    "mp4": (".f4v", ".ism", ".isma", ".ismv", ".m4v", ".mp4", ".mp4v"),
    "mpc": (".mpc",),
    "mpc8": (".mpc",),
    "mpeg": (".dat", ".evo", ".m2p", ".mod", ".mpe", ".mpeg", ".mpg", ".tod", ".vob", ".vro"),
    "mpegts": (".m2t", ".m2ts", ".mts", ".tp", ".trp", ".ts"),
    "mxf": (".mxf",),
    "nut": (".nut",),
    "ogg": (".oga", ".ogg", ".ogm", ".ogv", ".ogx", ".opus", ".spx"),
    "oma": (".aa3", ".oma", ".omg"),
    "rm": (".ra", ".rm", ".rmvb"),
    "truehd": (".thd", ".truehd"),
    "tta": (".tta",),
    "voc": (".voc",),
    "w64": (".w64",),
    "wav": (".bwf", ".rf64", ".wav", ".wave"),
    "webm": (".weba", ".webm"),
    "wtv": (".wtv",),
    "wv": (".wv",),
}
FORMATS = tuple(CONTAINERS)
MEDIA_SUFFIXES = frozenset(suffix for suffixes in CONTAINERS.values() for suffix in suffixes)

# Suffixes that other kinds of files have too: TypeScript, device trees, tables of data, tracker music. The first bytes
# of a file decide.
_NOT_TEXT = frozenset({".dts", ".mts", ".ts"})
_PROGRAM_STREAM = frozenset({".dat", ".mod"})
_PACK_HEADER, _VIDEO_CD = b"\x00\x00\x01\xba", b"RIFF"
LOOK_BYTES = 512


def is_ambiguous(suffix: str) -> bool:
    """Tell whether files of this suffix (with its dot, in lower case) are often not media files."""
    return suffix in _NOT_TEXT or suffix in _PROGRAM_STREAM


def looks_like_media(suffix: str, head: bytes) -> bool:
    """Tell whether a file of an ambiguous suffix can be a media file. `head` is its first `LOOK_BYTES`, or all of it.

    A transport stream may begin with any byte, even in the middle of a packet, but it is never text: 64 random bytes
    have a control character with a probability of 99.8 %.
    """
    if suffix in _PROGRAM_STREAM:
        return _PACK_HEADER in head or (head.startswith(_VIDEO_CD) and head[8:12] == b"CDXA")
    return any(byte < 9 or 13 < byte < 27 for byte in head)
