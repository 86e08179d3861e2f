"""Convert languages: BCP-47 tags inside reel, ISO 639-2/T in containers, English names for people.

The table holds the languages that the speech recognisers know. Any other tag is valid too, but does not have a
three-letter code, so that containers get `und`.
"""

from __future__ import annotations

import re

UNDETERMINED = "und"
NO_LANGUAGE = frozenset({UNDETERMINED, "mul", "zxx", "mis"})  # tags that name none: not known, several, none, another

# BCP-47 primary subtag: (ISO 639-2/T, English name).
LANGUAGES: dict[str, tuple[str, str]] = {
    "af": ("afr", "Afrikaans"), "am": ("amh", "Amharic"), "ar": ("ara", "Arabic"), "as": ("asm", "Assamese"),
    "az": ("aze", "Azerbaijani"), "ba": ("bak", "Bashkir"), "be": ("bel", "Belarusian"), "bg": ("bul", "Bulgarian"),
    "bn": ("ben", "Bengali"), "bo": ("bod", "Tibetan"), "br": ("bre", "Breton"), "brx": ("brx", "Bodo"),
    "bs": ("bos", "Bosnian"), "ca": ("cat", "Catalan"), "cs": ("ces", "Czech"), "cy": ("cym", "Welsh"),
    "da": ("dan", "Danish"), "de": ("deu", "German"), "doi": ("doi", "Dogri"), "el": ("ell", "Greek"),
    "en": ("eng", "English"), "es": ("spa", "Spanish"), "et": ("est", "Estonian"), "eu": ("eus", "Basque"),
    "fa": ("fas", "Persian"), "fi": ("fin", "Finnish"), "fo": ("fao", "Faroese"), "fr": ("fra", "French"),
    "ga": ("gle", "Irish"), "gl": ("glg", "Galician"), "gom": ("kok", "Goan Konkani"), "gu": ("guj", "Gujarati"),
    "ha": ("hau", "Hausa"), "haw": ("haw", "Hawaiian"), "he": ("heb", "Hebrew"), "hi": ("hin", "Hindi"),
    "hr": ("hrv", "Croatian"), "ht": ("hat", "Haitian Creole"), "hu": ("hun", "Hungarian"), "hy": ("hye", "Armenian"),
    "id": ("ind", "Indonesian"), "is": ("isl", "Icelandic"), "it": ("ita", "Italian"), "ja": ("jpn", "Japanese"),
    "jv": ("jav", "Javanese"), "ka": ("kat", "Georgian"), "kk": ("kaz", "Kazakh"), "km": ("khm", "Khmer"),
    "kn": ("kan", "Kannada"), "ko": ("kor", "Korean"), "ks": ("kas", "Kashmiri"), "la": ("lat", "Latin"),
    "lb": ("ltz", "Luxembourgish"), "ln": ("lin", "Lingala"), "lo": ("lao", "Lao"), "lt": ("lit", "Lithuanian"),
    "lv": ("lav", "Latvian"), "mai": ("mai", "Maithili"), "mg": ("mlg", "Malagasy"), "mi": ("mri", "Maori"),
    "mk": ("mkd", "Macedonian"), "ml": ("mal", "Malayalam"), "mn": ("mon", "Mongolian"), "mni": ("mni", "Manipuri"),
    "mr": ("mar", "Marathi"), "ms": ("msa", "Malay"), "mt": ("mlt", "Maltese"), "my": ("mya", "Burmese"),
    "ne": ("nep", "Nepali"), "nl": ("nld", "Dutch"), "nn": ("nno", "Norwegian Nynorsk"), "no": ("nor", "Norwegian"),
    "oc": ("oci", "Occitan"), "or": ("ori", "Odia"), "pa": ("pan", "Punjabi"), "pl": ("pol", "Polish"),
    "ps": ("pus", "Pashto"), "pt": ("por", "Portuguese"), "ro": ("ron", "Romanian"), "ru": ("rus", "Russian"),
    "sa": ("san", "Sanskrit"), "sat": ("sat", "Santali"), "sd": ("snd", "Sindhi"), "si": ("sin", "Sinhala"),
    "sk": ("slk", "Slovak"), "sl": ("slv", "Slovenian"), "sn": ("sna", "Shona"), "so": ("som", "Somali"),
    "sq": ("sqi", "Albanian"), "sr": ("srp", "Serbian"), "su": ("sun", "Sundanese"), "sv": ("swe", "Swedish"),
    "sw": ("swa", "Swahili"), "ta": ("tam", "Tamil"), "te": ("tel", "Telugu"), "tg": ("tgk", "Tajik"),
    "th": ("tha", "Thai"), "tk": ("tuk", "Turkmen"), "tl": ("tgl", "Tagalog"), "tr": ("tur", "Turkish"),
    "tt": ("tat", "Tatar"), "uk": ("ukr", "Ukrainian"), "ur": ("urd", "Urdu"), "uz": ("uzb", "Uzbek"),
    "vi": ("vie", "Vietnamese"), "yi": ("yid", "Yiddish"), "yo": ("yor", "Yoruba"), "yue": ("yue", "Cantonese"),
    "zh": ("zho", "Chinese"),
}  # fmt: skip

# ISO 639-2/B, where containers still carry it instead of /T.
_BIBLIOGRAPHIC = {
    "alb": "sq", "arm": "hy", "baq": "eu", "bur": "my", "chi": "zh", "cze": "cs", "dut": "nl", "fre": "fr",
    "geo": "ka", "ger": "de", "gre": "el", "ice": "is", "mac": "mk", "mao": "mi", "may": "ms", "per": "fa",
    "rum": "ro", "slo": "sk", "tib": "bo", "wel": "cy", "iw": "he", "jw": "jv", "in": "id",
}  # fmt: skip
_TERMINOLOGIC = {three: tag for tag, (three, _) in LANGUAGES.items()}
# Codes that subtitle sites, media servers and Windows made up for varieties of a language.
CODES_OF_SITES = {
    "pob": "pt-BR", "pb": "pt-BR", "ptb": "pt-BR", "chs": "zh-Hans", "cht": "zh-Hant", "zht": "zh-Hant",
    "spl": "es-419", "ea": "es-419",
}  # fmt: skip
_BY_NAME = {name.lower(): tag for tag, (_, name) in LANGUAGES.items()} | CODES_OF_SITES
_BY_NAME |= {"castilian": "es", "farsi": "fa", "brazilian": "pt-BR", "nb": "no", "nob": "no"}
_VARIETY = re.compile(r"[a-z]{2}|[a-z]{4}|[0-9]{3}")
_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def parse_language(text: str) -> str:
    """Return the BCP-47 tag for a tag or code of people or containers: `en`, `EN-us`, `hin`. Raises `ValueError`."""
    head, _, rest = text.strip().replace("_", "-").partition("-")
    primary = head.lower()
    primary = _BIBLIOGRAPHIC.get(primary, _TERMINOLOGIC.get(primary, primary))
    tag = f"{primary}-{rest}" if rest else primary
    if not _TAG.fullmatch(tag):
        raise ValueError(f"{text!r} is not a language tag; expected one like `en`, `hi` or `zh-Hant`")
    return tag


def language_named(word: str) -> str | None:
    """Return the language of a word in a file's name: `en`, `eng`, `ger`, `pt-BR`, `English`; None for another
    word."""
    small = word.lower().replace("_", "-")
    if small in _BY_NAME:
        return _BY_NAME[small]
    base, dash, rest = small.partition("-")
    tag = _BIBLIOGRAPHIC.get(base, _TERMINOLOGIC.get(base, base))
    if tag not in LANGUAGES or (dash and not _VARIETY.fullmatch(rest)):
        return None
    return f"{tag}-{rest.title() if len(rest) == 4 else rest.upper()}" if dash else tag


def language_of_track(text: str | None) -> str | None:
    """Return the tag that a container states for a track; None if it states none, or none of a language."""
    if not text:
        return None
    try:
        tag = parse_language(text)
    except ValueError:
        return None
    return None if tag in NO_LANGUAGE else tag


def is_same(first: str, other: str) -> bool:
    """Tell whether two tags name the same language, script and region, ignoring letter case."""
    return first.casefold() == other.casefold()


def primary(tag: str) -> str:
    """Return the language of a tag, without script and region."""
    return tag.partition("-")[0].lower()


def is_covered(requested: str, available: str) -> bool:
    """Tell whether a text in the language `available` can be used for `requested`: `pt` for `pt-BR` and the other way
    round, but not `pt-PT` for `pt-BR`."""
    language = primary(requested)
    if primary(available) != language:
        return False
    return is_same(requested, available) or language in {requested.lower(), available.lower()}


def iso639_2t(tag: str) -> str:
    """Return the three-letter code that containers want; `und` for a language outside the table."""
    base = primary(tag)
    if base in LANGUAGES:
        return LANGUAGES[base][0]
    return base if len(base) == 3 else UNDETERMINED


def in_file_name(tag: str) -> str:
    """Return the tag as a part of a subtitle's name, as media servers read it: `en`, `pt-BR`; Hindi as `hin`.

    Some servers take `hi` in a name for "hearing impaired", so that Hindi subtitles would be shown as English ones.
    """
    base, dash, rest = tag.partition("-")
    return f"{iso639_2t(base)}{dash}{rest}" if base == "hi" else tag


def language_in_file_name(name: str) -> str:
    """Return the language that a media server reads from a name: `film.pt-BR.srt`, `film.en.forced.srt`."""
    parts = [part for part in name.split(".")[1:-1] if part not in {"forced", "sdh", "cc", "default"}]
    if parts[1:] and parts[-1] == "hi" and language_of_track(parts[-2]):
        del parts[-1]  # after a language it stands for hearing impaired
    return language_of_track(parts[-1]) or UNDETERMINED if parts else UNDETERMINED


def english_name(tag: str) -> str:
    """Return a name for people: `Hindi`, `Portuguese (pt-BR)`; the tag itself where no name is known."""
    base = primary(tag)
    name = LANGUAGES[base][1] if base in LANGUAGES else tag
    return name if tag in {base, name} else f"{name} ({tag})"
