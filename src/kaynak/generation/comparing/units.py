"""What is counted or measured: units with their families, so that two weeks are fourteen days."""

from __future__ import annotations

import re

# Family, factor to the smallest of the family, forms. Months are kept apart from days: they differ in length.
_TABLE = (
    ("second", 1, "s sec secs second seconds saniye"),
    ("second", 60, "min mins minute minutes dakika dk"),
    ("second", 3600, "h hr hrs hour hours saat"),
    ("second", 86_400, "day days daily gün"),
    ("second", 604_800, "week weeks weekly hafta"),
    ("month", 1, "month months monthly ay aylık"),
    ("month", 12, "year years yearly annual yr yrs yıl yıllık sene"),
    ("month", 120, "decade decades"),
    ("month", 1200, "century centuries yüzyıl asır"),
    ("metre", 0.001, "mm millimetre millimetres millimeter millimeters milimetre"),
    ("metre", 0.01, "cm centimetre centimetres centimeter centimeters santimetre santim"),
    ("metre", 1, "m metre metres meter meters metrelik"),
    ("metre", 1000, "km kilometre kilometres kilometer kilometers"),
    ("foot", 1, "ft foot feet"),
    ("mile", 1, "mi mile miles mil"),
    ("gram", 0.001, "mg milligram milligrams miligram"),
    ("gram", 1, "g gr gram grams"),
    ("gram", 1000, "kg kilo kilogram kilograms"),
    ("gram", 1_000_000, "tonne tonnes ton tons"),
    ("litre", 0.001, "ml millilitre millilitres mililitre"),
    ("litre", 1, "l litre litres liter liters"),
    ("byte", 1, "kb kilobyte kilobytes"),
    ("byte", 1000, "mb megabyte megabytes"),
    ("byte", 1_000_000, "gb gigabyte gigabytes"),
    ("byte", 1_000_000_000, "tb terabyte terabytes"),
    ("percent", 1, "% percent percentage pct yüzde"),
    ("dollar", 1, "$ usd us$ dollar dollars dolar"),
    ("euro", 1, "€ eur euro euros avro"),
    ("pound", 1, "£ gbp pound pounds sterling sterlin"),
    ("lira", 1, "₺ tl try lira liras lirası"),
    ("yen", 1, "¥ jpy yen"),
    ("celsius", 1, "°c celsius"),
    ("fahrenheit", 1, "°f fahrenheit"),
)
_UNITS = {form: (family, float(factor)) for family, factor, forms in _TABLE for form in forms.split()}
_TURKISH_ENDING = re.compile(r"(?:l[ıiuü]k|[dt][ıiuü]r|s[ıiuü]|[dt][ae]n?|y?[ae]|n?[ıiuü]n|[ıiuü])$")

BEFORE = re.compile(r"(?:%|US\$|[$€£₺¥]|\b(?:USD|EUR|GBP|TL|TRY|yüzde|Yüzde)\b)\s?$")
AFTER = re.compile(r"\s?(%|[$€£₺¥]|°[CF])|[\s-]?(?:per cent\b|([^\W\d_]+))")


def unit_of(word: str, language: str) -> tuple[str, float] | None:
    """Returns the family of a unit and how many of its smallest one it is; None if the word is no unit."""
    low = word.replace("İ", "i").lower()
    for _ in range(3 if language == "tr" else 1):
        if low in _UNITS:
            return _UNITS[low]
        low = _TURKISH_ENDING.sub("", low)
    return None
