"""Follow-up questions with what the index must be asked: written before the rules.

The rules were made with `DEVELOPMENT` in view; `HELD_OUT` was written at the same time and only measured.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One follow-up.

    Attributes:
        before: The question before it, as it stands alone.
        question: The follow-up.
        has: What the rewritten question must contain; nothing: it must stay as it is.
        lacks: What it must not contain, because the follow-up replaced it.
        answer: The answer before it, where it matters.
    """

    before: str
    question: str
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    answer: str = ""


DEVELOPMENT = [
    # English: something else in the place of something
    Case(
        "How many days of paid leave do employees have in Germany?",
        "And in Turkey?",
        ("paid leave", "Turkey", "How many days"),
        ("Germany",),
    ),
    Case(
        "How many days of paid leave do full-time employees get?",
        "What about part-time staff?",
        ("paid leave", "part-time staff", "How many"),
        ("full-time",),
    ),
    Case("What was the revenue in 2022?", "And in 2023?", ("revenue", "2023"), ("2022",)),
    Case("Who is the chief executive of Acme?", "How about Globex?", ("chief executive", "Globex"), ("Acme",)),
    Case("Can I work remotely from home?", "And from abroad?", ("work remotely", "abroad"), ("home",)),
    Case("How long is the warranty on laptops?", "what about contractors?", ("warranty", "laptops", "contractors")),
    Case("What does the gold plan cost?", "And the silver plan?", ("silver plan", "cost"), ("gold",)),
    # English: what a word points at
    Case("What is the parental leave policy?", "When was it introduced?", ("When was", "introduced", "parental leave")),
    Case("How do I reset my VPN password?", "Who can help me with that?", ("Who can help", "VPN password")),
    Case("Which projects won the innovation award?", "How were they chosen?", ("chosen", "innovation award")),
    Case(
        "Who founded the observatory?",
        "When was she born?",
        ("born", "Clara Whitfield"),
        answer="Clara Whitfield founded the observatory in 1911. [1]",
    ),
    Case("What is the refund policy for opened software?", "Are there exceptions?", ("exceptions", "refund", "opened")),
    Case("What is the notice period?", "Is this policy different for managers?", ("managers", "notice period")),
    # English: almost nothing
    Case("Are visitors allowed in the laboratory?", "Why?", ("Why", "visitors", "laboratory")),
    Case("When does the canteen open?", "Until when?", ("Until when", "canteen")),
    Case("How do I claim travel expenses?", "Who approves?", ("approves", "travel expenses")),
    Case("How do I claim travel expenses?", "How long does it take?", ("How long", "claim", "travel expenses")),
    # English: stands alone already
    Case("How many days of paid leave do employees have?", "How do I reset my VPN password?"),
    Case("How do I reset my VPN password?", "What is phishing?"),
    Case("What is phishing?", "Which documents that expire must be renewed every year?"),
    Case("What is phishing?", "How do employees report their working hours?"),
    Case("What is the notice period?", "Who runs the IT department in Ankara?"),
    Case("What is the notice period?", "What holidays are there this year in Denmark?"),
    # Turkish: something else in the place of something
    Case(
        "İstanbul'da çalışanların kaç gün izni var?", "Peki ya Ankara'da?", ("Ankara", "izni", "kaç gün"), ("stanbul",)
    ),
    Case(
        "Tam zamanlı çalışanlar için yıllık izin kaç gün?",
        "Peki yarı zamanlı çalışanlar için?",
        ("yarı zamanlı", "yıllık izin", "kaç gün"),
        ("Tam zamanlı",),
    ),
    Case("2022 yılında ciro ne kadardı?", "Ya 2023?", ("2023", "ciro"), ("2022",)),
    Case("Almanya'nın başkenti neresidir?", "Peki Fransa?", ("Fransa", "başkenti"), ("Almanya",)),
    Case("Altın paketin fiyatı ne kadar?", "Ya gümüş paketin?", ("gümüş", "fiyatı"), ("Altın",)),
    Case("Dizüstü bilgisayarların garanti süresi ne kadar?", "Peki ya stajyerler?", ("stajyerler", "garanti süresi")),
    # Turkish: what a word points at
    Case("Doğum izni kaç gündür?", "Bu ne zaman yürürlüğe girdi?", ("yürürlüğe", "Doğum izni")),
    Case("Uzaktan çalışma politikası nedir?", "Onu kim onaylıyor?", ("kim onaylıyor", "Uzaktan çalışma")),
    Case(
        "Gözlemevini kim kurdu?",
        "O ne zaman doğdu?",
        ("ne zaman doğdu", "Nüzhet Gökdoğan"),
        answer="Gözlemevini Nüzhet Gökdoğan kurdu. [1]",
    ),
    Case("Yemekhane saat kaçta açılır?", "Orada ne yenir?", ("yenir", "Yemekhane")),
    Case("Açılmış yazılımın iadesi mümkün mü?", "Bunun istisnaları var mı?", ("istisnaları", "yazılımın", "iadesi")),
    # Turkish: almost nothing
    Case("Ziyaretçiler laboratuvara girebilir mi?", "Neden?", ("Neden", "Ziyaretçiler", "laboratuvara")),
    Case("Seyahat masraflarını nasıl beyan ederim?", "Kim onaylıyor?", ("onaylıyor", "Seyahat", "masraf")),
    Case("Seyahat masrafları nasıl ödenir?", "Ne kadar sürer?", ("sürer", "Seyahat masraf")),
    # Turkish: stands alone already
    Case("Yıllık izin kaç gün?", "VPN parolamı nasıl sıfırlarım?"),
    Case("VPN parolamı nasıl sıfırlarım?", "Oltalama nedir?"),
    Case("Oltalama nedir?", "Bu yıl bayram tatili kaç gün sürecek?"),
    Case("Oltalama nedir?", "Ofis kirasını hangi birim ödüyor?"),
]

HELD_OUT = [
    Case(
        "What is the daily allowance for trips to France?", "And to Japan?", ("daily allowance", "Japan"), ("France",)
    ),
    Case("What is the overtime rate on weekdays?", "and on public holidays?", ("overtime rate", "public holidays")),
    Case("How many inhabitants does Lyon have?", "What about Marseille?", ("inhabitants", "Marseille"), ("Lyon",)),
    Case("What did the first version cost?", "And the second version?", ("second version", "cost"), ("first",)),
    Case("Does the dental plan cover implants?", "What about crowns?", ("dental plan", "crowns")),
    Case("Where is the fire extinguisher on floor 2?", "And on floor 5?", ("fire extinguisher", "5"), ("floor 2",)),
    Case("What is the mentoring programme?", "Who can apply for it?", ("apply", "mentoring programme")),
    Case("Which suppliers failed the audit?", "Why did they fail?", ("Why", "suppliers", "audit")),
    Case("How is the bonus calculated?", "When is it paid?", ("paid", "bonus")),
    Case(
        "Who designed the bridge?",
        "Where did he study?",
        ("study", "Emre Aksoy"),
        (),
        "The bridge was designed by Emre Aksoy. [2]",
    ),
    Case("Do I need a visa for the conference in Lisbon?", "How much does it cost?", ("cost", "visa")),
    Case("Is smoking allowed on the roof?", "Since when?", ("Since when", "smoking", "roof")),
    Case("How do I order a new badge?", "What if I lose it?", ("lose", "badge")),
    Case("What is the deadline for tax forms?", "Can it be extended?", ("extended", "deadline", "tax forms")),
    Case("What is the dress code?", "How large is the parking area behind the warehouse?"),
    Case("How is the bonus calculated?", "What is a hash table?"),
    Case("How is the bonus calculated?", "Where can visitors leave their luggage?"),
    Case("Where is the server room?", "How many people work for the company in total?"),
    Case("İzmir ofisinde kaç kişi çalışıyor?", "Ya Bursa ofisinde?", ("Bursa", "kaç kişi"), ("İzmir",)),
    Case("Fransa'ya seyahat harcırahı ne kadar?", "Peki Japonya'ya?", ("Japonya", "harcırah"), ("Fransa",)),
    Case("Hafta içi fazla mesai ücreti nedir?", "Peki ya hafta sonu?", ("hafta sonu", "fazla mesai"), ("Hafta içi",)),
    Case("2. katta yangın tüpü nerede?", "Ya 5. katta?", ("5. katta", "yangın tüpü")),
    Case("Diş sigortası implantı karşılıyor mu?", "Peki ya kaplama?", ("kaplama", "Diş sigortası")),
    Case("Mentorluk programı nedir?", "Buna kimler başvurabilir?", ("başvurabilir", "Mentorluk")),
    Case("Prim nasıl hesaplanır?", "Ne zaman ödenir?", ("ödenir", "Prim")),
    Case(
        "Köprüyü kim tasarladı?",
        "Onun başka eserleri var mı?",
        ("eserleri", "Emre Aksoy"),
        (),
        "Köprüyü Emre Aksoy tasarladı. [1]",
    ),
    Case("Çatıda sigara içmek serbest mi?", "Ne zamandan beri?", ("Ne zamandan", "sigara")),
    Case("Yeni giriş kartı nasıl alınır?", "Kaybedersem ne olur?", ("Kaybedersem", "giriş kartı")),
    Case("Vergi formlarının son tarihi nedir?", "Uzatılabilir mi?", ("Uzatılabilir", "Vergi form")),
    Case("Kıyafet kuralları nelerdir?", "Deponun arkasındaki otopark kaç metrekare?"),
    Case("Prim nasıl hesaplanır?", "Şirketin Ankara ofisinde toplam kaç kişi çalışıyor?"),
    Case("Prim nasıl hesaplanır?", "Karma tablo nedir?"),
]
