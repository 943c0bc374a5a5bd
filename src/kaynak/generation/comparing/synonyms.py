"""Words that people ask for and texts say with others: of handbooks, contracts and reports rather than of poems."""

from __future__ import annotations

from functools import cache

from kaynak.engines.analysis import normalise, stems

_ENGLISH = """
warranty guarantee guaranteed; employee staff worker personnel; leave vacation holiday; salary pay wage wages;
pay paid refund refunded reimburse reimbursed; cost price fee; cost costs expense expenses; buy purchase bought; car
vehicle; boss manager supervisor; company firm business; customer client; supplier vendor; sick ill; illness sickness
disease; mail email e-mail; phone telephone call; start begin began begun started; end finish finished ended stop; quit
resign leave; fire dismiss terminate; hire recruit; allow allowed permit permitted may; forbid forbidden prohibit
prohibited ban banned; need require required must; need needed necessary required; show display; rule regulation policy;
permission approval consent; approve approved authorise authorize; last duration lasts; maximum limit most; minimum
least; located situated; built constructed erected; found founded established; died death; born birth; wrote written
author; invented inventor invention; discovered discovery; led leader head; won win victory; killed murdered; movie
film; kid child children; big large; small little; quick fast rapid; near close; also additionally; help assist aid;
happen occur; area region; nation country; street road; home house; job work position; doctor physician; picture image
photo; answer reply respond; lodging hotel accommodation; trip journey travel; notice termination; bonus premium;
deadline due; receive get obtain; send submit; choose select; usual normal typical; increase rise grow; decrease reduce
fall; people population inhabitants; called named known; money currency
"""
_TURKISH = """
garanti garantili; çalışan personel işçi eleman; maaş ücret aylık; ücret fiyat bedel; araba araç otomobil; müdür
yönetici amir; şirket firma işletme kuruluş; müşteri alıcı; hasta rahatsız; hastalık rahatsızlık; telefon çağrı; başla
başlar başlangıç; bitiş bitmek sona; istifa ayrılma; işe alım; onaylar onay onaylanır; gerekli
zorunlu gerekir lazım; yasak yasaktır; kural yönetmelik yönerge; talep istek başvuru; süre müddet zaman; azami en
fazla; doğdu doğmuş doğmuştur doğum; öldü ölmüş ölmüştür vefat ölüm; yazdı yazmış yazar yazmıştır; kurdu kurmuş kuruldu
kurulmuş kurucu; buldu bulmuş keşfetti icat; okul mektep; öğretmen hoca muallim; öğrenci talebe; doktor hekim tabip;
eser kitap; ev konut; cevap yanıt; hediye armağan; yolculuk seyahat; konaklama otel; fatura makbuz; ödeme ödenir
"""
_GROUPS = {"en": _ENGLISH, "tr": _TURKISH}


@cache
def _table(language: str) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for group in _GROUPS.get(language, "").split(";"):
        alike = set(stems(normalise(" ".join(group.split()), language, short_grams=False), language))
        for stem in alike:
            found.setdefault(stem, set()).update(alike - {stem})
    return {stem: frozenset(others) for stem, others in found.items()}


def synonyms(stem: str, language: str | None) -> frozenset[str]:
    """Returns the stems that may stand for another one, without itself; none in languages that are not known."""
    return _table(language or "").get(stem, frozenset())
