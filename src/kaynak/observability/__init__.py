"""What an operator watches: what this process does, and how the whole installation is, in Prometheus's text format."""

from kaynak.observability.exposition import CONTENT_TYPE, Exposition
from kaynak.observability.measured import MeasuredSearcher
from kaynak.observability.metrics import Metrics

__all__ = ["CONTENT_TYPE", "Exposition", "MeasuredSearcher", "Metrics"]
