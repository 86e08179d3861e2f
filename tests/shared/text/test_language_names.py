"""Languages as people write them, and the nearest one to a word that is none."""

from __future__ import annotations

import pytest

from shared.text.language import LANGUAGES, english_name
from shared.text.language_names import known_language, known_or_none, named_languages, split_languages


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("English", "en"), ("hindi", "hi"), ("Português", "pt"), ("portugues", "pt"), ("DEUTSCH", "de"),
        ("Brazilian Portuguese", "pt-BR"), ("Portuguese (Brazil)", "pt-BR"), ("European Portuguese", "pt-PT"),
        ("Spanish (Latin America)", "es-419"), ("European Spanish", "es-ES"), ("Simplified Chinese", "zh-Hans"),
        ("Chinese (Traditional)", "zh-Hant"), ("zh-hans", "zh-Hans"), ("zh_HANT", "zh-Hant"), ("pt-br", "pt-BR"),
        ("pt_BR.UTF-8", "pt-BR"), ("es-419", "es-419"), ("hin", "hi"), ("ger", "de"), ("deu", "de"), (" en ", "en"),
        ("हिन्दी", "hi"), ("हिंदी", "hi"), ("日本語", "ja"), ("العربية", "ar"), ("русский", "ru"), ("Farsi", "fa"),
        ("Mandarin", "zh"), ("Cantonese", "yue"), ("Filipino", "tl"), ("Bokmål", "no"), ("nb", "no"), ("und", "und"),
        ("Haitian Creole", "ht"), ("zulu", "zu"), ("sr-latn", "sr-Latn"), ("Serbian (Latin)", "sr-Latn"),
        ("Español (España)", "es-ES"), ("US English", "en-US"), ("english-us", "en-US"),
        ("Deutsch (Schweiz)", "de-CH"),
        ("pob", "pt-BR"), ("PB", "pt-BR"), ("cht", "zh-Hant"), ("spl", "es-419"), ("hin_Deva", "hi"),
        ("por_Latn", "pt"), ("tam_Taml", "ta"), ("jpn_Jpan", "ja"), ("zho_Hans", "zh-Hans"), ("pan_Arab", "pa-Arab"),
        ("en-Latn-US", "en-US"),
    ],
)  # fmt: skip
def test_a_language_is_understood_by_its_tag_and_by_its_names(written: str, tag: str) -> None:
    assert known_language(written) == tag


@pytest.mark.parametrize("tag", sorted(LANGUAGES))
def test_each_language_is_known_by_tag_code_and_name_in_any_case(tag: str) -> None:
    code, name = LANGUAGES[tag]
    for written in (tag, tag.upper(), name, name.lower(), name.upper()):
        assert known_language(written) == tag
    assert known_language(code) in {tag, "gom"}, "one code may stand for two"
    assert known_language(f"{tag}-XA").startswith(tag)
    assert english_name(known_language(name)) == name


@pytest.mark.parametrize(
    ("written", "near"),
    [("klingon", "the nearest is"), ("Englsh", "English (`en`)"), ("portugese", "Portuguese (`pt`)"), ("xx", "as `en`"),
     ("", "expected a language"), ("  ", "expected a language"), ("en;de", "names 2: one"),
     ("Hindi & English", "names 2: one"), ("jp", "Japanese (`ja`)"), ("auto", "identified, name none"),
     ("POSIX", ""), ("?", ""), ("english-xx", "`en`")],
)  # fmt: skip
def test_a_language_that_there_is_not_is_refused_with_the_nearest(written: str, near: str) -> None:
    with pytest.raises(ValueError, match="expected a language that is known") as caught:
        known_language(written)
    assert near in str(caught.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("pt,en", ["pt", "en"]), ("pt en", ["pt", "en"]),
     ("Brazilian Portuguese, English", ["Brazilian Portuguese", "English"]),
     ("Haitian Creole;fr", ["Haitian Creole", "fr"]), ("", []), (" , ", [])],
)  # fmt: skip
def test_a_text_of_several_languages_is_taken_apart_and_names_are_not(text: str, parts: list[str]) -> None:
    assert split_languages(text) == parts


def test_a_parameter_may_name_no_language() -> None:
    assert known_or_none(None) is None
    assert known_or_none("Hindi") == "hi"


def test_every_name_that_is_offered_is_understood_and_each_language_has_an_english_one() -> None:
    offered = named_languages()
    assert offered["pt-BR"][0] == "Brazilian Portuguese"
    for tag, names in offered.items():
        assert {known_language(word) for word in (tag, *names)} == {tag}
        assert names[0].isascii() or tag in {"vo"}, names
