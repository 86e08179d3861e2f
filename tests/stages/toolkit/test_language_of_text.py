"""The language of a text is told where it is certain, and not where it is not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

import pytest

from pipeline.base.project import CONFIG
from pipeline.plan.language_tables import load_languages
from stages.toolkit.text.language_of_text import language_of_text

TABLES = cast(Mapping[str, Collection[str]], load_languages(CONFIG / "languages")["common_words"])


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "I don't know what you want to do with it. She said that they are at home and we should go."),
        ("pt", "Eu não sei o que você quer fazer com isso. Ela disse que eles estão em casa e nós devemos ir."),
        ("es", "No sé qué quieres hacer con esto. Ella dijo que están en casa y que debemos ir con los otros."),
        ("fr", "Je ne sais pas ce que vous voulez faire avec ça. Elle dit que les autres sont dans la maison."),
        ("de", "Ich weiß nicht, was du damit machen willst. Sie hat gesagt, dass wir nicht auf ihn warten."),
        (
            "it",
            "Non so che cosa vuoi fare con questo. Ha detto che sono a casa e che ci dobbiamo andare, ma non è vero.",
        ),
        ("nl", "Ik weet niet wat je met dat wilt doen. Hij zei dat ze niet thuis zijn en dat we het moeten doen."),
        ("pl", "Nie wiem, co chcesz z tym zrobić. Powiedziała, że już są w domu i że to nie jest tak jak myślisz."),
        ("tr", "Ben bir şey bilmiyorum ama o çok iyi. Sen ne için bu kadar geç geldin? Evet, daha var."),
        ("ru", "Я не знаю, что ты хочешь с этим делать. Она сказала, что они все у него дома, но мы так не можем."),
        ("ar", "أنا لا أعرف ما هذا. لقد قال إن كل شيء على ما يرام في هذا المكان وهو ليس هنا من أجل ذلك"),
        ("hi", "मैं नहीं जानता कि तुम क्या चाहते हो। वह घर में है और यह एक अच्छी बात है।"),
        ("ja", "私はあなたが何をしたいのかわかりません。彼女は家にいると言いました。"),
        ("zh", "我不知道你想做什么。她说他们在家，我们应该去那里看看他们怎么样了。"),
        ("ko", "나는 네가 무엇을 하고 싶은지 모르겠어. 그녀는 집에 있다고 말했다."),
        ("el", "Δεν ξέρω τι θέλεις να κάνεις με αυτό. Είπε ότι είναι στο σπίτι."),
        ("th", "ฉันไม่รู้ว่าคุณต้องการทำอะไร เธอบอกว่าพวกเขาอยู่ที่บ้าน"),
    ],
)
def test_the_language_of_a_few_sentences_is_told(language: str, text: str) -> None:
    assert language_of_text([text], TABLES) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Anna! Peter!",
        "Jag vet inte vad du vill göra med det. Hon sade att de är hemma och att vi borde gå.",
        "Nem tudom, mit akarsz ezzel csinálni. Azt mondta, hogy otthon vannak.",
        "Не знам какво искаш да правиш с това. Тя каза, че са вкъщи и трябва да отидем.",
        "मला माहीत नाही तुला काय करायचे आहे. ती म्हणाली की ते घरी आहेत.",
    ],
)
def test_a_language_without_a_table_is_not_taken_for_another(text: str) -> None:
    assert language_of_text([text], TABLES) is None
