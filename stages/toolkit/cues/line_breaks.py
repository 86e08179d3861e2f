"""The cost of breaking a text at each place, by punctuation and by short lists of words that hold together.

The lists are closed classes only: articles, prepositions, auxiliaries, pronouns, titles. A language without a list is
broken by punctuation, pauses and shape alone. Costs run from 0, the end of a sentence, to 16, between an article and
its noun; what no list knows about costs 8.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from shared.text.language import primary
from shared.text.sentence_end import CLOSERS, OPENERS, ends_sentence
from shared.text.text_width import is_spaceless
from stages.toolkit.cues.words import CLAUSE_ENDS, Piece

SENTENCE, CLAUSE, CONJUNCTION, PREPOSITION, UNKNOWN, LOOSE, NAME, BOUND = 0.0, 2.0, 3.5, 4.5, 8.0, 12.0, 12.0, 16.0
_FORCED = 40.0  # inside a word that is wider than a line
_PARTICLE, _IN_WORD, _IN_SYLLABLE = 4.0, 12.0, 14.0
_PAUSE_MS = 300


@dataclass(frozen=True)
class _Words:
    """A language's lists. Before `conjunctions` and `prepositions` a line may well end; after `binding` words, and
    before `leaning` ones, it may not."""

    conjunctions: frozenset[str]
    prepositions: frozenset[str]
    binding: frozenset[str]
    leaning: frozenset[str] = frozenset()
    capitals_are_names: bool = True


def _words(
    conjunctions: str, prepositions: str, binding: str, leaning: str = "", *, capitals_are_names: bool = True
) -> _Words:
    """Return the words that bind to what follows them; prepositions do too."""
    before = frozenset(prepositions.split())
    return _Words(
        frozenset(conjunctions.split()), before, frozenset(binding.split()) | before, frozenset(leaning.split()),
        capitals_are_names,
    )  # fmt: skip


_LISTS: dict[str, _Words] = {
    "en": _words(
        "and but or nor so yet because although though while when where if that which who whom whose than unless until "
        "since as whether",
        "in on at by for with from to of into onto about over under after before between through during without "
        "against among across behind beyond near toward towards upon within",
        "a an the this these those my your his her its our their no every each some any i you he she it we they am is "
        "are was were be been being have has had do does did will would shall should can could may might must not "
        "don't doesn't didn't won't wouldn't can't couldn't isn't aren't wasn't weren't i'm you're he's she's it's "
        "we're they're i've you've we've they've i'll you'll he'll she'll we'll they'll i'd you'd he'd she'd we'd "
        "they'd mr mrs ms dr prof st very too",
    ),
    "es": _words(
        "y e o u pero sino porque aunque mientras cuando donde si que quien cuyo como ni pues",
        "a ante bajo con contra de del desde durante en entre hacia hasta para por según sin sobre tras al",
        "el la los las un una unos unas lo mi mis tu tus su sus nuestro nuestra nuestros nuestras este esta estos "
        "estas ese esa esos esas aquel aquella yo tú él ella nosotros ellos ellas usted ustedes me te se le les nos "
        "os no he has ha hemos han había soy eres es somos son era fue estoy está están muy más sr sra dr señor "
        "señora don doña",
    ),
    "fr": _words(
        "et ou mais donc or ni car parce que qu' quand lorsque si comme puisque qui dont où",
        "à au aux de du des d' en dans sur sous avec sans pour par vers chez entre contre depuis pendant avant après",
        "le la les l' un une mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs ce cet cette ces je j' "
        "tu il elle on nous vous ils elles me m' te t' se s' lui y ne n' pas ai as a avons avez ont suis es est "
        "sommes êtes sont était étaient avait très plus m mme mlle dr monsieur madame",
    ),
    "de": _words(
        "und oder aber denn sondern weil dass obwohl während wenn als ob damit sodass wie wo bevor nachdem",
        "in im an am auf aus bei beim mit nach von vom zu zum zur für durch gegen ohne um über unter vor hinter "
        "neben zwischen seit bis ins ans",
        "der die das den dem des ein eine einen einem einer eines kein keine keinen keinem keiner mein meine meinen "
        "meinem meiner dein deine sein seine seinen seinem seiner ihr ihre ihren ihrem ihrer unser unsere euer eure "
        "dieser diese dieses diesen diesem jeder jede jedes ich du er sie es wir man habe hast hat haben habt hatte "
        "hatten bin bist ist sind seid war waren wird werden wurde wurden kann muss soll will nicht sehr herr frau "
        "dr prof",
        capitals_are_names=False,
    ),
    "pt": _words(
        "e ou mas porém porque embora enquanto quando onde se que quem cujo como nem pois",
        "a à ao aos às ante até com contra de do da dos das desde durante em no na nos nas entre para pra por pelo "
        "pela pelos pelas perante sem sob sobre num numa",
        "o os as um uma uns umas meu minha meus minhas teu tua seu sua seus suas nosso nossa este esta estes estas "
        "esse essa esses essas aquele aquela eu tu ele ela nós eles elas você vocês me te lhe lhes não tenho tem "
        "temos têm tinha sou é somos são era foi estou está estão muito mais sr sra dr senhor senhora dom dona",
    ),
    "it": _words(
        "e ed o oppure ma però perché sebbene mentre quando dove se che chi cui come né poiché",
        "a ad al allo alla ai agli alle di del dello della dei degli delle da dal dalla dai in nel nello nella nei "
        "negli nelle con su sul sulla sui per tra fra senza sotto sopra verso contro dopo prima dell' all' nell' d'",
        "il lo la i gli le l' un uno una un' mio mia miei mie tuo tua suo sua suoi sue nostro nostra vostro vostra "
        "questo questa questi queste quel quello quella quei io tu lui lei noi voi loro mi ti si ci vi ne non ho hai "
        "ha abbiamo avete hanno aveva sono sei è siamo siete era erano molto più sig dott signor signora don donna",
    ),
    "hi": _words(
        "और या लेकिन मगर पर क्योंकि कि जब अगर यदि तो जो जिसने जिसे जहाँ जहां ताकि हालाँकि बल्कि",
        "",
        "एक यह वह ये वे इस उस इन उन मेरा मेरी मेरे तेरा तेरी तेरे तुम्हारा तुम्हारी हमारा हमारी हमारे अपना अपनी अपने आपका आपकी "
        "आपके कोई कुछ हर मैं हम तुम आप नहीं न मत बहुत श्री श्रीमती डॉ",
        "ने को से में का की के तक है हैं हूँ हूं हो था थी थे गा गी गे ही भी रहा रही रहे गया गयी गई गए चाहिए वाला वाली वाले "
        "होगा होगी होंगे सकता सकती सकते जी लिए लिये साथ बाद पास ओर ऊपर नीचे द्वारा",
    ),
}  # fmt: skip
_NONE = _words("", "", "")


@dataclass(frozen=True)
class Breaks:
    """For the place before each piece: what ending a line costs there, what ending a cue does, whether a sentence
    ends, and how long the pause is. At 0 and after the last piece a break is free."""

    line: list[float]
    cue: list[float]
    sentence: list[bool]
    pause_ms: list[int]


def function_words(language: str) -> frozenset[str]:
    """Return the words of a language's lists: they join others and name nothing."""
    words = _LISTS.get(primary(language), _NONE)
    return words.conjunctions | words.binding | words.leaning


def capitals_are_names(language: str) -> bool:
    """Return whether a capital inside a sentence begins a name."""
    return _LISTS.get(primary(language), _NONE).capitals_are_names


def breaks_of(pieces: Sequence[Piece], language: str) -> Breaks:
    """Return the cost of a break before each piece."""
    words = _LISTS.get(primary(language), _NONE)
    count = len(pieces)
    found = Breaks([0.0] * (count + 1), [0.0] * (count + 1), [True] * (count + 1), [0] * (count + 1))
    for index in range(1, count):
        before, after = pieces[index - 1], pieces[index]
        cost = _cost(before.text, after, words, at_start=found.sentence[index - 1])
        pause = max(after.start_ms - before.end_ms, 0)
        found.line[index] = cost
        found.sentence[index] = cost == SENTENCE
        found.pause_ms[index] = pause
        # Hesitation parts an article from its noun in time, but a viewer reads them together all the same.
        heard = min(cost, max(1.0, 5.0 - pause / 400)) if pause >= _PAUSE_MS and cost < BOUND else cost
        found.cue[index] = 0.0 if before.speaker != after.speaker else heard
    return found


def _cost(before: str, after: Piece, words: _Words, *, at_start: bool) -> float:
    bare = before.rstrip(CLOSERS)
    mark = bare[-1:]
    last, first = _bare(before), _bare(after.text)
    if ends_sentence(before):
        return SENTENCE
    if (mark and mark in CLAUSE_ENDS) or after.text[:1] in {"–", "—"}:
        return CLAUSE
    if after.joined:
        return _inside(before[-1], after.text[0])
    if first in words.leaning or last in words.binding:
        return BOUND
    if first in words.conjunctions:
        return CONJUNCTION
    if first in words.prepositions:
        return PREPOSITION
    if last in words.conjunctions or (last[-1:].isdecimal() and after.text[:1].isalpha()):
        return LOOSE
    if words.capitals_are_names and not at_start and _is_capital(before) and _is_capital(after.text):
        return NAME
    return UNKNOWN


@lru_cache(maxsize=1 << 14)
def _bare(text: str) -> str:
    """Return the word in the form of the lists."""
    return text.strip(CLOSERS + OPENERS + ".,;:!?…").lower().replace("’", "'")


def _is_capital(text: str) -> bool:
    letter = text.lstrip(OPENERS)[:1]
    return letter.isupper() and len(text) > 1


@lru_cache(maxsize=1 << 14)
def _inside(last: str, first: str) -> float:
    """Tell whether a line may break where there is no space: between the words of Japanese, as far as their script
    shows them."""
    if not (is_spaceless(last) or is_spaceless(first)):
        return _FORCED
    if "\u0e00" <= first <= "\u0eff":
        return UNKNOWN if first in "เแโใไເແໂໃໄ" else _IN_WORD
    kinds = _kind(last), _kind(first)
    if kinds[0] == "HIRAGANA":
        return _IN_WORD if kinds[1] == "HIRAGANA" else _PARTICLE
    if kinds == ("KATAKANA", "KATAKANA"):
        return _IN_SYLLABLE
    return _IN_WORD if kinds[1] == "HIRAGANA" or kinds == ("CJK", "CJK") else UNKNOWN


def _kind(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]
