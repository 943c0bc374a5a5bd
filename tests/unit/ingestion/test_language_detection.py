from __future__ import annotations

import pytest

from kaynak.ingestion import detect_language
from kaynak.ingestion.language import SAMPLE

SENTENCES = {
    "en": "The pump must be inspected every six months by a certified engineer.",
    "tr": "Pompa her altı ayda bir yetkili mühendis tarafından denetlenmelidir.",
    "de": "Die Pumpe muss alle sechs Monate von einem Ingenieur geprüft werden.",
    "fr": "La pompe doit être inspectée tous les six mois par un ingénieur.",
    "es": "La bomba debe ser inspeccionada cada seis meses por un ingeniero.",
    "ru": "Насос должен проверяться каждые шесть месяцев инженером.",
    "ar": "يجب فحص المضخة كل ستة أشهر من قبل مهندس معتمد",
    "zh": "泵必须每六个月由合格的工程师检查一次。",
    "ja": "ポンプは6か月ごとに資格のある技術者が点検しなければなりません。",
    "ko": "펌프는 6개월마다 자격을 갖춘 기술자가 점검해야 합니다.",
    "th": "ปั๊มต้องได้รับการตรวจสอบทุกหกเดือนโดยวิศวกร",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_is_enough(code: str) -> None:
    assert detect_language(SENTENCES[code]) == code


@pytest.mark.parametrize("text", ["", "   ", "12345 67-89", "Hello", "SKU-1234 ABX", "🙂🙂🙂", "x" * 5])
def test_too_little_says_nothing(text: str) -> None:
    assert detect_language(text) is None


def test_a_cover_page_in_another_language_does_not_decide() -> None:
    body = SENTENCES["tr"] + "\n"
    assert detect_language(SENTENCES["en"] + "\n" + body * 200) == "tr"
    assert len(body) * 200 > SAMPLE


def test_numbers_and_marks_do_not_disturb() -> None:
    assert detect_language("| 12,5 | 13,0 |\n" * 30 + SENTENCES["de"] + " 99 %" * 20) == "de"
