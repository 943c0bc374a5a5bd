"""Documents from addresses of the web, without a way into the network that Kaynak runs in."""

from kaynak.fetching.addresses import Reach
from kaynak.fetching.fetcher import Fetched, Fetcher, FetchLimits

__all__ = ["FetchLimits", "Fetched", "Fetcher", "Reach"]
