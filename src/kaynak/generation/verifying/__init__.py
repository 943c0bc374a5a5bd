"""Whether the cited passages bear a sentence out."""

from kaynak.generation.verifying.built_in import BuiltInVerifier
from kaynak.generation.verifying.inferring import InferenceVerifier
from kaynak.generation.verifying.judging import JudgeVerifier
from kaynak.generation.verifying.protocol import Judgement, Verifier
from kaynak.generation.verifying.registry import BUILT_IN, OFF, Verifiers

__all__ = [
    "BUILT_IN",
    "OFF",
    "BuiltInVerifier",
    "InferenceVerifier",
    "JudgeVerifier",
    "Judgement",
    "Verifier",
    "Verifiers",
]
