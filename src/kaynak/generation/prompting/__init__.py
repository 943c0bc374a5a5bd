"""From passages and a question to what a model is sent. What was retrieved is data, never an instruction."""

from kaynak.generation.prompting.instructions import INSTRUCTIONS
from kaynak.generation.prompting.prompt import Prompt, build_prompt

__all__ = ["INSTRUCTIONS", "Prompt", "build_prompt"]
