"""What embedding costs, from the list that comes with the library genai-prices. No network."""

from __future__ import annotations

import contextlib

from kaynak.embedding.hosted.families import FAMILIES, canonical
from kaynak.embedding.hosted.options import HostedOptions, Wire, parse_name

_MILLION = 1_000_000


def price_of(name: str, options: HostedOptions, *, maker: str | None = None) -> float | None:
    """Returns US dollars for a million tokens; 0 for what runs on machines of one's own, None if it is not known.

    Blocks for a moment: the list is read when it is first needed.

    Args:
        name: Of the embedding model, as people type it.
        options: Who can be asked.
        maker: The maker's name of the model, if it was opened: an Azure deployment may have any name.
    """
    parsed = parse_name(name, options)
    if parsed is None or parsed.provider == Wire.TEI.value:
        return 0.0
    provider = options.providers[parsed.provider]
    if provider.price is not None:
        return provider.price
    if provider.price_list is None:
        return None
    import genai_prices

    known = maker or canonical(parsed.model)
    usage = genai_prices.Usage(input_tokens=_MILLION)
    sellers = [(provider.price_list, parsed.model), (provider.price_list, known)]
    if known in FAMILIES and provider.wire is Wire.OPENAI:
        sellers.append(("openai", known))  # routers sell at the price of the maker, and are not in the list
    for seller, model in sellers:
        with contextlib.suppress(LookupError, ValueError):
            return float(genai_prices.calc_price(usage, model, provider_id=seller).total_price)
    return None
