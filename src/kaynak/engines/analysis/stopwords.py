"""Words that say nothing in a query, where tantivy's own lists are missing or too short."""

from __future__ import annotations

import unicodedata

ENGLISH = """
a about above after again against all also am an and any are as at be because been before being below
between both but by can could did do does doing don down during each either else ever few for from further
had has have having he her here hers herself him himself his how however i if in into is it its itself just
let may me might more most much must my myself no nor not of off on once only onto or other ought our ours
ourselves out over own per please same shall she should since so some such than that the their theirs them
themselves then there therefore these they this those though through thus to too toward towards under until
unto up upon us very via was we were what whatever when whence where whether which while who whoever whom
whose why will with within without would yet you your yours yourself yourselves
"""

TURKISH = """
acaba ama ancak artık aslında ayrıca az bana bazı belki ben benden beni benim beri bile bir biraz biri
birkaç birçok birşey biz bizden bize bizi bizim böyle böylece bu buna bunda bundan bunlar bunları bunların
bunu bunun burada bütün çok çoğu çünkü da daha dahi de defa değil diğer diye dolayı dolayısıyla e eğer en
etti ettiği fakat gibi göre hala halde hangi hangisi hani hatta hem henüz hep hepsi her herhangi herkes hiç
hiçbir için ile ilgili ise işte itibaren kadar karşın kendi kendine kendini kez ki kim kime kimi kimin kimse
mı mi mu mü nasıl ne neden nedenle nedir nerde nerede nereye neyi niçin niye o olan olarak oldu olduğu
olduğunu olduklarını olmadı olmak olması olsa olsun olup olur olursa oluyor ona ondan onlar onlara onlardan
onları onların onu onun orada oysa öyle pek rağmen sadece sanki sen senden seni senin siz sizden sizi sizin
sonra şayet şey şeyden şeyi şeyler şu şuna şunda şundan şunları şunu şunun tarafından tüm üzere var vardı ve
veya ya yani yapılan yapmak yaptı yerine yine yoksa yüzden zaten hakkında midir mıdır mudur müdür dır dir
"""

ARABIC = """
في من على إلى عن مع هذا هذه ذلك تلك التي الذي الذين ما لا لم لن ان إن أن كان كانت هو هي هم كل بعض او أو و ثم
قد كما لكن حتى اذا إذا بين بعد قبل عند غير هل كيف متى أين لماذا
"""

GREEK = """
ο η το οι τα του της των τον την και κι σε στο στη στην στον στα στους στις από απο με για που πως να θα δεν
μη μην είναι ειναι ήταν ηταν ένα ενα μια μία ένας ως αν ή αλλά αλλα τι ποιος ποια ποιο πού όταν γιατί
"""

ROMANIAN = """
a al ale am ar are as asta au ba ca care ce cel cea cei cele cu cum când cine da de din dar dacă deci despre
ea ei el ele era este eu fi fie fost iar în în îl îi îmi îşi își la le lor mai nu o ori pe pentru prin sa să
sale sau se si și sunt te tot un una unde unei unor unui va voi
"""

_LISTS = {"en": ENGLISH, "tr": TURKISH, "ar": ARABIC, "el": GREEK, "ro": ROMANIAN}


def stop_list(language: str | None) -> list[str]:
    """Returns our own list for a language, if we have one.

    Longer words stand in it without their diacritics too, as people type them; short ones would collide
    (Turkish ``şu`` is “that”, ``su`` is “water”).
    """
    own = _LISTS.get(language or "", "").split()
    bare = [_without_marks(word) for word in own if len(word) > 3]
    return sorted({*own, *bare})


def _without_marks(word: str) -> str:
    plain = unicodedata.normalize("NFD", word.replace("ı", "i"))
    return "".join(char for char in plain if not unicodedata.combining(char))
