"""How well the built-in verifier tells true statements from corrupted ones, on real passages.

The set is made by rule, always the same, from SQuAD, scifact (English) and TQuAD (Turkish): true statements are
sentences of a passage as they stand (verbatim) and said another way (reworded: a question with its answer as a
statement, sentences joined, cut, turned, numbers and dates written another way), and the claims people wrote for
scifact. False ones are the same with another number, another name, two names exchanged, a negation, an opposite, or
held against the passage of another document. Half of the subjects are for tuning, the other half for the table.

    python benchmarks/verifier.py            # the table
    python benchmarks/verifier.py --refit    # prints the weights for generation/verifying/weighing.py
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from common import DATA, corpus, machine, percentile
from kaynak.domain import Verdict
from kaynak.domain.sentences import sentence_spans
from kaynak.embedding import EmbedderPool
from kaynak.generation.comparing import NAMES
from kaynak.generation.verifying import BuiltInVerifier
from kaynak.generation.verifying.weighing import expanded, verdict, weigh
from statements import CORRUPTIONS, corrupted, declared, reworded

SETS = {"squad2_dev_half": "en", "tquad_tr_train": "tr"}
PARAGRAPHS = 500
"""Of each set of questions."""
FEATURES = (*NAMES, "cosine")
ALARMS = 0.13
"""Share of the true reworded statements of the tuning half that may be doubted."""
FAULTS = frozenset(NAMES) - {"one", "two", "all", "missing", "order", "short"}


@dataclass(frozen=True)
class Statement:
    """A statement held against a passage.

    Attributes:
        text: What it says.
        evidence: The passage under its title.
        true: Whether the passage says so.
        base: ``verbatim``, ``reworded`` or ``claim``: what it is, or was made from.
        kind: Its base if it is true, else what was done to it.
        language: ``en`` or ``tr``.
        tuning: Whether it is of the half for tuning.
    """

    text: str
    evidence: str
    true: bool
    base: str
    kind: str
    language: str
    tuning: bool


@dataclass(frozen=True)
class Passage:
    """A paragraph under its title, with its questions and answers; a subject is in one half only."""

    title: str
    text: str
    language: str
    tuning: bool
    asked: tuple[tuple[str, str], ...] = ()

    @property
    def evidence(self) -> str:
        """As a verifier gets it."""
        return f"{self.title}\n\n{self.text}" if self.title else self.text


def rows(source: str, name: str) -> list[dict]:  # type: ignore[type-arg]
    return [json.loads(line) for line in (DATA / source / name).read_text().splitlines()]


def passages(source: str, language: str) -> list[Passage]:
    """Returns a sample of the paragraphs of a set of questions."""
    texts = {one["id"]: one["text"] for one in rows(source, "queries.jsonl")}
    asked: dict[str, list[tuple[str, str]]] = {}
    for row in rows(source, "answers.jsonl"):
        if not row["is_impossible"]:
            asked.setdefault(row["doc_id"], []).append((texts[row["query_id"]], row["answers"][0]["text"]))
    documents = [one for one in corpus(source) if one["text"].strip()]
    subjects = {title: at for at, title in enumerate(sorted({one["title"] for one in documents}))}
    all_of_them = [
        Passage(
            one["title"],
            one["text"].strip(),
            language,
            subjects[one["title"]] % 2 == 0,
            tuple(asked.get(one["id"], ())),
        )
        for one in documents
    ]
    return random.Random(5).sample(all_of_them, min(PARAGRAPHS, len(all_of_them)))


def statements(passage: Passage, others: Sequence[Passage], rng: random.Random) -> Iterator[Statement]:
    """Yields the statements about one passage: two true ones verbatim, up to four reworded, and corrupted ones."""
    spans = [span.of(passage.text) for span in sentence_spans(passage.text)]
    whole = [" ".join(one.split()) for one in spans if 6 <= len(one.split()) <= 50 and one[-1] in ".!"]
    made = [one for asked in passage.asked if (one := declared(*asked, passage.language))]
    turned = list(reworded(whole, passage.language, rng))
    true = [("verbatim", one) for one in rng.sample(whole, min(2, len(whole)))]
    true += [("reworded", one) for one in rng.sample(made, min(2, len(made)))]
    true += [("reworded", one) for one in rng.sample(turned, min(2, len(turned)))]
    for base, text in true:
        yield Statement(text, passage.evidence, True, base, base, passage.language, passage.tuning)
        found = corrupted(text, passage.text, passage.language, rng, list(CORRUPTIONS))
        if found is not None:
            kind, false = found
            yield Statement(false, passage.evidence, False, base, kind, passage.language, passage.tuning)
    if true:
        base, text = rng.choice(true)
        far = rng.choice([one for one in others if one.title != passage.title])
        yield Statement(text, far.evidence, False, base, "other subject", passage.language, passage.tuning)
        near = [one for one in others if one.title == passage.title and one.text != passage.text]
        if near:
            near_one = rng.choice(near)
            yield Statement(text, near_one.evidence, False, base, "same subject", passage.language, passage.tuning)


def claims() -> Iterator[Statement]:
    """Yields the claims of scifact with the abstracts that support or contradict them, and corrupted ones."""
    rng = random.Random(9)
    texts = {one["id"]: one["text"] for one in rows("scifact", "queries.jsonl")}
    documents = {one["id"]: one for one in corpus("scifact")}
    everything = list(documents.values())
    for row in rows("scifact", "labels.jsonl"):
        text = texts[row["query_id"]]
        tuning = int(row["query_id"]) % 2 == 0
        for name, labels in row["evidence"].items():
            document = documents[name]
            evidence = f"{document['title']}\n\n{document['text']}"
            if labels == ["CONTRADICT"]:
                yield Statement(text, evidence, False, "claim", "contradicted", "en", tuning)
                continue
            yield Statement(text, evidence, True, "claim", "claim", "en", tuning)
            found = corrupted(text, document["text"], "en", rng, list(CORRUPTIONS))
            if found is not None:
                yield Statement(found[1], evidence, False, "claim", found[0], "en", tuning)
            far = rng.choice([one for one in everything if one["id"] not in row["evidence"]])
            yield Statement(text, f"{far['title']}\n\n{far['text']}", False, "claim", "other subject", "en", tuning)


def abstracts() -> list[Passage]:
    """Returns a sample of scifact's abstracts as passages."""
    sample = random.Random(6).sample(corpus("scifact"), 200)
    return [Passage(one["title"], one["text"], "en", at % 2 == 0) for at, one in enumerate(sample)]


def everything() -> list[Statement]:
    """Returns the whole set, always the same."""
    found: list[Statement] = []
    for source, language in SETS.items():
        rng = random.Random(17)
        sample = passages(source, language)
        found += [one for passage in sample for one in statements(passage, sample, rng)]
    rng, sample = random.Random(17), abstracts()
    found += [one for passage in sample for one in statements(passage, sample, rng)]
    return found + list(claims())


async def measured(given: Sequence[Statement]) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Returns the features (n, features), how well the model speaks each, and the milliseconds each took."""
    pool = EmbedderPool()
    verifier = BuiltInVerifier(lambda: pool.get("minilm"))
    features, spoken, times = np.zeros((len(given), len(FEATURES))), np.zeros(len(given)), []
    for at, one in enumerate(given):
        begin = time.perf_counter()
        comparison, fluent = await verifier.measure(one.text, [one.evidence])
        times.append((time.perf_counter() - begin) * 1000)
        features[at] = [comparison.features[name] for name in FEATURES]
        spoken[at] = fluent
    await pool.close()
    return features, spoken, times


def fit(table: np.ndarray, true: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns the weights of a logistic regression; both classes count alike, and ``counts`` within their class."""
    share = np.where(true, counts / counts[true].sum(), counts / counts[~true].sum()) * len(true) / 2
    weights = np.zeros(table.shape[1])
    ridge = np.full(table.shape[1], 0.1)
    for _ in range(60):
        likely = 1 / (1 + np.exp(-np.clip(table @ weights, -30, 30)))
        slope = table.T @ (share * (likely - true)) + ridge * weights
        curve = (table * (share * likely * (1 - likely))[:, None]).T @ table + np.diag(ridge + 1e-6)
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def refit(given: Sequence[Statement], features: np.ndarray) -> None:
    """Prints the weights that fit the tuning half, moved so that `ALARMS` of the true reworded ones are below 0."""
    for language, name in (("en", "BY_MEANING"), ("tr", "BY_WORDS")):
        mine = [at for at, one in enumerate(given) if one.tuning and one.language == language]
        known = [expanded(dict(zip(FEATURES, features[at].tolist(), strict=True))) for at in mine]
        names = [one for one in known[0] if language == "en" or "cosine" not in one]
        table = np.array([[one[column] for column in names] for one in known])
        true = np.array([given[at].true for at in mine])
        reworded = np.array([given[at].base != "verbatim" for at in mine])
        # What people write is reworded: it counts three times.
        counts = np.where(true & reworded, 3.0, 1.0)
        weights = fit(table, true, counts)
        # What speaks against a statement never speaks for it.
        perverse = [at for at, one in enumerate(names) if one.split("*")[0] in FAULTS and weights[at] > 0]
        table[:, perverse] = 0.0
        weights = fit(table, true, counts)
        values = table @ weights
        weights[names.index("bias")] -= np.quantile(values[true & reworded], ALARMS)
        print(f"{name} = {dict(zip(names, weights.round(2).tolist(), strict=True))}")


def table(given: Sequence[Statement], features: np.ndarray, spoken: np.ndarray) -> None:
    """Prints how many statements are doubted, by kind, origin and language."""
    rows = zip(features.tolist(), spoken.tolist(), strict=True)
    verdicts = [verdict(weigh(dict(zip(FEATURES, row, strict=True)), fluent)) for row, fluent in rows]
    print("| statements | made from | language | number | not supported | unsupported |\n|---|---|---|---|---|---|")
    for truth, label in ((True, "true"), (False, "false")):
        mine = [(one, found) for one, found in zip(given, verdicts, strict=True) if one.true is truth]
        groups: dict[tuple[str, str, str], list[Verdict]] = {}
        for one, found in mine:
            for key in ((one.kind, one.base, one.language), (f"**all {label}**", "", one.language)):
                groups.setdefault(key, []).append(found)
            for language in (one.language, "both"):
                if one.base != "claim" and one.kind != "contradicted":
                    groups.setdefault((f"**{label}, without claims**", "", language), []).append(found)
        groups[(f"**all {label}**", "", "both")] = [found for _, found in mine]
        for key in sorted(groups, key=lambda key: (key[0].startswith("**"), key)):
            print(f"| {' | '.join((key[0], key[1], key[2]))} | {shares(groups[key])} |")


def shares(verdicts: Sequence[Verdict]) -> str:
    """Returns how many there are, and the shares that are not supported, and unsupported."""
    count, total = Counter(verdicts), len(verdicts)
    doubted = 1 - count[Verdict.SUPPORTED] / total
    return f"{total:,} | {doubted:.3f} | {count[Verdict.UNSUPPORTED] / total:.3f}"


def main(*, fitting: bool) -> None:
    given = everything()
    features, spoken, times = asyncio.run(measured(given))
    if fitting:
        refit(given, features)
        return
    held = [at for at, one in enumerate(given) if not one.tuning]
    print(machine())
    print(f"{len(given):,} statements, of which {len(held):,} held out for this table")
    table([given[at] for at in held], features[held], spoken[held])
    print(f"\nper sentence: p50 {percentile(times, 0.5):.1f} ms, p95 {percentile(times, 0.95):.1f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--refit", action="store_true", help="print weights instead of the table")
    main(fitting=parser.parse_args().refit)
