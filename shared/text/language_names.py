"""Languages as people write them: `English`, `hindi`, `Português`, `Brazilian Portuguese`, `zh-hans`.

For what a user types. `shared.text.language.parse_language` alone reads what a container says of its tracks, so that a
title is not taken for a language.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from shared.nearest import nearest
from shared.text.language import CODES_OF_SITES, LANGUAGES, english_name, parse_language, primary
from shared.text.scripts import is_usual_script

# The languages of ISO 639-1, and of the translators, that no speech recogniser knows.
_OTHER_LANGUAGES = {
    "aa": "Afar", "ab": "Abkhazian", "ae": "Avestan", "ak": "Akan", "an": "Aragonese", "ast": "Asturian",
    "av": "Avaric", "ay": "Aymara", "bho": "Bhojpuri", "bi": "Bislama", "bm": "Bambara", "ce": "Chechen",
    "ceb": "Cebuano", "ch": "Chamorro", "ckb": "Central Kurdish", "co": "Corsican", "cr": "Cree",
    "crh": "Crimean Tatar", "cu": "Church Slavonic", "cv": "Chuvash", "dv": "Dhivehi", "dz": "Dzongkha",
    "ee": "Ewe", "eo": "Esperanto", "ff": "Fulah", "fj": "Fijian", "fur": "Friulian", "fy": "Western Frisian",
    "gd": "Scottish Gaelic", "gn": "Guarani", "gv": "Manx", "ho": "Hiri Motu", "hz": "Herero", "ia": "Interlingua",
    "ie": "Interlingue", "ig": "Igbo", "ii": "Sichuan Yi", "ik": "Inupiaq", "ilo": "Ilocano", "io": "Ido",
    "iu": "Inuktitut", "kab": "Kabyle", "kg": "Kongo", "ki": "Kikuyu", "kj": "Kuanyama", "kl": "Kalaallisut",
    "kr": "Kanuri", "ku": "Kurdish", "kv": "Komi", "kw": "Cornish", "ky": "Kyrgyz", "lg": "Ganda",
    "li": "Limburgish", "lij": "Ligurian", "lmo": "Lombard", "lu": "Luba-Katanga", "mh": "Marshallese",
    "na": "Nauru", "nd": "North Ndebele", "ng": "Ndonga", "nr": "South Ndebele", "nso": "Northern Sotho",
    "nv": "Navajo", "ny": "Nyanja", "oj": "Ojibwe", "om": "Oromo", "os": "Ossetian", "pap": "Papiamento",
    "pi": "Pali", "prs": "Dari", "qu": "Quechua", "rm": "Romansh", "rn": "Rundi", "rw": "Kinyarwanda",
    "sc": "Sardinian", "scn": "Sicilian", "se": "Northern Sami", "sg": "Sango", "sm": "Samoan", "ss": "Swati",
    "st": "Southern Sotho", "szl": "Silesian", "ti": "Tigrinya", "tn": "Tswana", "to": "Tonga", "tpi": "Tok Pisin",
    "ts": "Tsonga", "tw": "Twi", "ty": "Tahitian", "ug": "Uyghur", "ve": "Venda", "vec": "Venetian",
    "vo": "Volapük", "wa": "Walloon", "war": "Waray", "wo": "Wolof", "xh": "Xhosa", "za": "Zhuang", "zu": "Zulu",
}  # fmt: skip

# Their own names, and other English ones.
_OTHER_NAMES = """
    af=Afrikaans am=አማርኛ,Amharigna ar=العربية,عربي as=অসমীয়া az=Azərbaycanca,Azeri ba=башҡортса
    be=беларуская,Belarussian bg=български bn=বাংলা,Bangla bo=བོད་སྐད brx=बड़ो br=Brezhoneg bs=bosanski
    ca=català,Valencian cs=čeština,český cy=Cymraeg da=dansk de=Deutsch doi=डोगरी el=ελληνικά
    es=español,Castilian,castellano et=eesti eu=euskara fa=فارسی,Farsi fi=suomi fo=føroyskt fr=français
    ga=Gaeilge gl=galego,Gallegan gom=कोंकणी,Konkani gu=ગુજરાતી haw=ʻŌlelo_Hawaiʻi he=עברית,Ivrit
    hi=हिन्दी,हिंदी hr=hrvatski ht=Kreyòl_ayisyen,Haitian hu=magyar hy=հայերեն id=Bahasa_Indonesia
    is=íslenska it=italiano ja=日本語 jv=Basa_Jawa ka=ქართული kk=қазақша km=ខ្មែរ kn=ಕನ್ನಡ ko=한국어,조선말
    ks=कॉशुर la=latina lb=Lëtzebuergesch lo=ລາວ lt=lietuvių lv=latviešu mai=मैथिली mg=malagasy mi=Māori
    mk=македонски ml=മലയാളം mn=монгол mni=ꯃꯩꯇꯩꯂꯣꯟ,Meitei mr=मराठी ms=Bahasa_Melayu mt=Malti
    my=မြန်မာ,Myanmar ne=नेपाली nl=Nederlands,Flemish,Vlaams nn=nynorsk no=norsk,bokmål,Norwegian_Bokmål
    oc=occitan or=ଓଡ଼ିଆ,Oriya pa=ਪੰਜਾਬੀ,Panjabi pl=polski ps=پښتو,Pushto pt=português
    ro=română,Moldavian,Moldovan ru=русский sa=संस्कृतम् sd=سنڌي si=සිංහල,Sinhalese sk=slovenčina
    sl=slovenščina,Slovene sn=chiShona so=Soomaali sq=shqip sr=српски,srpski su=Basa_Sunda sv=svenska
    sw=Kiswahili ta=தமிழ் te=తెలుగు tg=тоҷикӣ th=ไทย tk=türkmençe tl=Pilipino,Filipino tr=Türkçe tt=татарча
    uk=українська ur=اردو uz=oʻzbekcha vi=Tiếng_Việt yi=ייִדיש yo=Yorùbá yue=粵語,粤语,廣東話
    zh=中文,汉语,漢語,Mandarin,Mandarin_Chinese pt-BR=Brazilian,português_brasileiro,português_do_Brasil
    zh-Hans=简体中文 zh-Hant=繁體中文 gd=Gaelic ku=Kurmanji ckb=Sorani dv=Maldivian ny=Chichewa ug=Uighur
    ky=Kirghiz
"""
# What stands before or after the name of a language: `Brazilian Portuguese`, `Chinese (Traditional)`.
_VARIETIES = """
    419=Latin_American,Latin_America,Latinoamérica AT=Austrian,Austria,Österreich AU=Australian,Australia
    BE=Belgian,Belgium,Belgique,België BR=Brazilian,Brazil,Brasil CA=Canadian,Canada
    CH=Swiss,Switzerland,Schweiz,Suisse,Svizzera ES=European,Spain,España GB=British,UK,United_Kingdom IN=Indian,India
    IE=Ireland MX=Mexican,Mexico,México PT=European,Portugal TW=Taiwanese,Taiwan HK=Hong_Kong
    US=American,US,USA,United_States Hans=Simplified Hant=Traditional Latn=Latin Cyrl=Cyrillic
"""
_WORD = re.compile(r"[^\W_]+")


def _fold(text: str) -> str:
    """Return a name as it compares: words in small letters, without accents and points."""
    plain = "".join(
        character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character)
    )
    return " ".join(_WORD.findall(plain.replace("ʻ", "").replace("_", " ").casefold()))


def _table(text: str) -> Iterator[tuple[str, str]]:
    for entry in text.split():
        tag, _, names = entry.partition("=")
        for name in names.split(","):
            yield _fold(name), tag


_NAMES: dict[str, str] = {
    **{_fold(name): tag for tag, name in _OTHER_LANGUAGES.items()},
    **{_fold(name): tag for tag, (_, name) in LANGUAGES.items()},
    **dict(_table(_OTHER_NAMES)),
}
_VARIETY: dict[str, list[str]] = {}
for _name, _subtag in _table(_VARIETIES):
    _VARIETY.setdefault(_name, []).append(_subtag)
_TWO_LETTERS = {tag for tag in (*LANGUAGES, *_OTHER_LANGUAGES, "nb") if len(tag) == 2}
_LEAST_LIKENESS = 0.5  # of 1; `klingon` is to find something
_COUNTRIES = {
    "br": "pt", "cn": "zh", "cz": "cs", "dk": "da", "gb": "en", "gr": "el", "jp": "ja", "ua": "uk", "us": "en",
    "vn": "vi",
}  # fmt: skip
"""Country codes that people take for languages, with the language; `se` and `kr` are languages too."""
_AUTOMATIC = {"auto", "automatic", "any", "detect"}
_BETWEEN = re.compile(r"[,;+&|/]| and ")
_USUAL_TAG = {"nb": "no", "nob": "no", "cmn": "zh"}  # as recognisers and translators call them


def known_language(text: str) -> str:
    """Return the BCP-47 tag of a language that a user has written as a tag or by its name. Raises `ValueError` with the
    nearest one for a language that is not known."""
    word = text.strip()
    if word.lower() in _AUTOMATIC:
        raise ValueError(_unknown_message(word))
    named = _tag_of_name(word) or CODES_OF_SITES.get(word.lower())
    if named is not None:
        return named
    try:
        tag = parse_language(re.split(r"[.@]", word)[0])  # a locale may end in its encoding: `pt_BR.UTF-8`
    except ValueError:
        raise ValueError(_unknown_message(word)) from None
    if len(primary(tag)) == 2 and primary(tag) not in _TWO_LETTERS:
        raise ValueError(_unknown_message(word))
    base, dash, rest = tag.partition("-")
    return _without_usual_script(_in_usual_case(f"{_USUAL_TAG.get(base, base)}{dash}{rest}"))


def known_or_none(text: str | None) -> str | None:
    """Return the tag of a language that a parameter may name."""
    return None if text is None else known_language(text)


def named_languages() -> dict[str, list[str]]:
    """Return the tags of the known languages with their names: the English one, then their own and other ones."""
    names = {tag: [name] for tag, (_, name) in LANGUAGES.items()} | {
        tag: [name] for tag, name in _OTHER_LANGUAGES.items()
    }
    for entry in _OTHER_NAMES.split():
        tag, _, others = entry.partition("=")
        english = [] if tag in names else [_english_variety(tag)]
        names.setdefault(tag, english).extend(name.replace("_", " ") for name in others.split(","))
    return dict(sorted(names.items(), key=lambda item: item[1][0]))


def _english_variety(tag: str) -> str:
    """Return `Brazilian Portuguese` for `pt-BR`."""
    base, _, subtag = tag.partition("-")
    variety = next(
        names.partition(",")[0]
        for name, _, names in (entry.partition("=") for entry in _VARIETIES.split())
        if name == subtag
    )
    return f"{variety.replace('_', ' ')} {LANGUAGES[base][1]}"


def split_languages(text: str) -> list[str]:
    """Return the languages of a list in one text: `pt,en`, `pt en`, `Brazilian Portuguese, English`."""
    found: list[str] = []
    for part in filter(None, map(str.strip, re.split(r"[,;]", text))):
        found += [part] if _tag_of_name(part) else part.split()
    return found


def _tag_of_name(word: str) -> str | None:
    """Return the tag of a name, with that of a variety before or after it; None for other text."""
    folded = _fold(word)
    if folded in _NAMES:
        return _NAMES[folded]
    words = folded.split()
    for cut in range(1, len(words)):
        head, tail = " ".join(words[:cut]), " ".join(words[cut:])
        for variety, name in ((head, tail), (tail, head)):
            subtags = _VARIETY.get(variety) or ([variety.upper()] if len(variety) == 2 and "(" in word else [])
            if subtags and name in _NAMES:
                return _variety(_NAMES[name], subtags)
    return None


def _variety(tag: str, subtags: list[str]) -> str:
    subtag = tag.upper() if tag.upper() in subtags else subtags[0]
    return f"{primary(tag)}-{subtag}"


def _without_usual_script(tag: str) -> str:
    """Return `hi` for `hi-Deva`, as the translators' code `hin_Deva` is read: another tag would be another language to
    every comparison."""
    base, *rest = tag.split("-")
    return "-".join([base, *(part for part in rest if not is_usual_script(base, part))])


def _in_usual_case(tag: str) -> str:
    """Return `zh-hans` as `zh-Hans`, `pt-br` as `pt-BR`."""
    head, *rest = tag.split("-")
    usual = {2: str.upper, 4: str.title}
    return "-".join([head, *(usual.get(len(part), str.lower)(part) for part in rest)])


def _unknown_message(word: str) -> str:
    """Return what was expected instead of a word that names no language, as far as possible with the way out."""
    expected = "expected a language that is known, by its tag as `en` or its name as `English`"
    if word.lower() in _AUTOMATIC:
        return f"{expected}; to have the spoken language identified, name none"
    parts = [part.strip() for part in _BETWEEN.split(word)]
    if len(parts) > 1 and all(map(_is_known, parts)):
        return f"{expected}, and this names {len(parts)}: one is expected here"
    known = {**{_fold(english_name(tag)): tag for tag in LANGUAGES}, **_NAMES, **{tag: tag for tag in _TWO_LETTERS}}
    near = nearest(_fold(word), known, _LEAST_LIKENESS) if len(word) > 3 else None  # of two letters anything is near
    tag = known[near] if near else _COUNTRIES.get(word.lower(), "")
    hint = f"; the nearest is {_OTHER_LANGUAGES.get(tag) or english_name(tag)} (`{tag}`)" if tag else ""
    return f"{expected}{hint}"


def _is_known(word: str) -> bool:
    try:
        known_language(word)
    except ValueError:
        return False
    return True
