"""Whether the built-in answerer knows when not to answer, through the whole product.

All questions of SQuAD 2.0 (half of them cannot be answered from any paragraph, though they look as if) and a sample of
TQuAD (Turkish) are asked of all their paragraphs; those that can be answered are asked again with everything on their
subject filtered out. The score is fitted on one half of the subjects (--refit) and measured on the other.

    python benchmarks/abstention.py            # the tables
    python benchmarks/abstention.py --refit    # prints the weights for generation/extractive/answerability.py
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import string
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common import DATA, corpus, machine, percentile
from kaynak.app import Kaynak
from kaynak.domain import OWNER, Condition, Hit, JobState, Op, SearchRequest
from kaynak.generation.extractive.answerability import ANSWERED, HOPELESS, NAMES, likely_answered
from kaynak.generation.extractive.choosing import choose
from kaynak.generation.extractive.composing import compose
from kaynak.generation.extractive.scoring import Scoring
from kaynak.ingestion import Upload
from quality import product

SETS = {"squad2_dev_half": "English", "tquad_tr_train": "Turkish"}

MOST = {"squad2_dev_half": 10_000, "tquad_tr_train": 1_200}
FAULTS = {name for name in NAMES if name.rpartition("passage_")[2] in
          {"missing", "name", "number", "date", "name_slot", "opposite", "negation", "unnegated"}}  # fmt: skip
LEFT_OUT = 0.5
"""What a question whose subject is left out counts in the fit, against one that only seems to be answered."""

KINDS = ("answerable", "unanswerable", "left out")
TURKISH = 6
"""What a Turkish question counts in the fit by words alone, which is for languages the model does not speak."""


@dataclass(frozen=True)
class Question:
    """A question with the places of its answers; none if it cannot be answered."""

    text: str
    document: str
    subject: str
    answers: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Asked:
    """A question that was asked.

    Attributes:
        kind: One of `KINDS`.
        tuning: Whether it is of the half for tuning.
        found: What speaks for the best sentence, by `NAMES`.
        spoken: How well the model speaks the question.
        first: Whether the first quote has the answer, in its place.
        right: Whether any of the quotes has.
        texts: What would be quoted.
        gold: The answers.
        took_ms: Search and answer.
    """

    kind: str
    tuning: bool
    found: tuple[float, ...]
    spoken: float
    first: bool
    right: bool
    texts: tuple[str, ...]
    gold: tuple[str, ...]
    took_ms: float

    @property
    def score(self) -> float:
        """How likely it is answered."""
        return likely_answered(dict(zip(NAMES, self.found, strict=True)), self.spoken)


def questions(name: str, most: int) -> list[Question]:
    """Returns a sample of the questions, always the same."""
    texts = {
        one["id"]: one["text"] for one in map(json.loads, (DATA / name / "queries.jsonl").read_text().splitlines())
    }
    documents = {one["id"]: one for one in corpus(name)}
    rows = [json.loads(line) for line in (DATA / name / "answers.jsonl").read_text().splitlines()]
    chosen = random.Random(11).sample(rows, min(most, len(rows)))
    found = []
    for row in chosen:
        document = documents[row["doc_id"]]
        # Offsets count from the first character that is no space, as the parser drops what stands before.
        lead = len(document["text"]) - len(document["text"].lstrip())
        places = {(one["start"] - lead, one["start"] - lead + len(one["text"])) for one in row["answers"]}
        answers = () if row["is_impossible"] else tuple(sorted(places))
        found.append(Question(texts[row["query_id"]], row["doc_id"], document["title"], answers))
    return found


async def ingest(kaynak: Kaynak, collection: str, documents: Sequence[dict[str, str]]) -> None:
    """Brings the paragraphs in, each with its subject."""
    await kaynak.collections.create(OWNER, collection)
    for start in range(0, len(documents), 500):
        part = documents[start : start + 500]
        uploads = [
            Upload(
                one["id"],
                f"{one['id']}.txt",
                one["text"].encode(),
                "text/plain",
                metadata={"subject": one["title"]},
                title=one["title"],
            )
            for one in part
            if one["text"].strip()
        ]
        job = (await kaynak.intake.submit(OWNER, collection, uploads)).job
        if job is None:
            continue
        async for state in kaynak.jobs.watch(OWNER, job.id):
            job = state
        if job.state is not JobState.SUCCEEDED:
            raise RuntimeError(f"ingesting {collection} ended {job.state}")
    state = await kaynak.collections.get(OWNER, collection)
    await kaynak.followers.catch_up(state.id, state.revision, 600)


async def ask(kaynak: Kaynak, name: str) -> list[Asked]:
    """Returns what becomes of the questions of a set."""
    collection, documents = name.replace("_", "-"), corpus(name)
    await ingest(kaynak, collection, documents)
    texts = {one["id"]: one["text"].lstrip() for one in documents}
    asked = questions(name, MOST[name])
    half = {subject: at % 2 == 0 for at, subject in enumerate(sorted({one.subject for one in asked}))}
    scoring, found = Scoring(kaynak.searcher), []
    for one in asked:
        gold = tuple(texts[one.document][start:end] for start, end in one.answers)
        kinds = {"answerable" if one.answers else "unanswerable": None}
        if one.answers:
            kinds["left out"] = Condition("subject", Op.NE, one.subject)
        for kind, condition in kinds.items():
            begin = time.perf_counter()
            hits = (await kaynak.searcher.search(SearchRequest(one.text, (collection,), filter=condition), OWNER)).hits
            features, spoken, first, right, quoted = await judged(scoring, one, hits)
            took = (time.perf_counter() - begin) * 1000
            found.append(Asked(kind, half[one.subject], features, spoken, first, right, quoted, gold, took))
    return found


async def judged(
    scoring: Scoring, one: Question, hits: Sequence[Hit]
) -> tuple[tuple[float, ...], float, bool, bool, tuple[str, ...]]:
    """Returns features, fluency, whether the first quote and whether any has the answer, and the quotes."""
    scored = await scoring.scored(one.text, hits)
    if scored is None:
        return (0.0,) * len(NAMES), 1.0, False, False, ()
    written = compose(choose(scored.likely, scored.features), scored.units, hits)
    right = [
        hits[quote.hit].external_id == one.document
        and any(quote.span.start <= start and end <= quote.span.end for start, end in one.answers)
        for sentence in written
        for quote in sentence.quotes
    ]
    found = tuple(scored.found[name] for name in NAMES)
    return found, scored.spoken, right[:1] == [True], any(right), tuple(sentence.text for sentence in written)


def auroc(better: Sequence[float], worse: Sequence[float]) -> float:
    """Returns how often a score of ``better`` is above one of ``worse``; ties count half."""
    both = np.concatenate([better, worse])
    _, place, count = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((ranks[: len(better)].sum() - len(better) * (len(better) + 1) / 2) / (len(better) * len(worse)))


def normal(text: str) -> list[str]:
    """Returns the words of an answer as SQuAD's own evaluation compares them."""
    plain = "".join(char for char in text.lower() if char not in string.punctuation)
    return re.sub(r"\b(?:a|an|the)\b", " ", plain).split()


def overlap(text: str, gold: str) -> float:
    """Returns the F1 of the words."""
    mine, its = normal(text), normal(gold)
    common = sum((Counter(mine) & Counter(its)).values())
    return 2 * common / (len(mine) + len(its)) if common else 0.0


def table(language: str, asked: Sequence[Asked]) -> None:
    """Prints how well the score parts the kinds, what several operating points give, and what is answered."""
    held = {kind: [one for one in asked if one.kind == kind and not one.tuning] for kind in KINDS}
    scores = {kind: np.array([one.score for one in found]) for kind, found in held.items()}
    counts = ", ".join(f"{len(found):,} {kind}" for kind, found in held.items())
    print(f"\n{language}, held out: {counts}; p50 {percentile([one.took_ms for one in asked], 0.5):.0f} ms")
    for kind in ("unanswerable", "left out"):
        if held[kind]:
            print(f"AUROC of answerable against {kind}: {auroc(scores['answerable'], scores[kind]):.3f}")
    print("| least likelihood | answered | right quote | first quote right | silent: unanswerable | silent: left out |"
          " precision of silence |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for least in sorted({0.0, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, HOPELESS, ANSWERED}):
        print(point(least, held, scores))
    said = [(one.texts if one.score >= ANSWERED else (), one.gold) for one in held["answerable"]]
    exact = np.mean([any(normal(" ".join(texts)) == normal(gold) for gold in golds) for texts, golds in said])
    words = np.mean([max(overlap(" ".join(texts), gold) for gold in golds) for texts, golds in said])
    first = np.mean([max(overlap(texts[0], gold) if texts else 0.0 for gold in golds) for texts, golds in said])
    print(f"answerable questions: exact match {exact:.3f}, F1 {words:.3f}, of the first quote {first:.3f}")


def point(least: float, held: Mapping[str, Sequence[Asked]], scores: Mapping[str, np.ndarray]) -> str:
    """Returns a row: what becomes of each kind if nothing below ``least`` is answered; shares are of all questions."""
    silent = {kind: found < least for kind, found in scores.items()}
    spoken = ~silent["answerable"]
    right = np.mean([one.right for one in held["answerable"]] & spoken)
    first = np.mean([one.first for one in held["answerable"]] & spoken)
    rightly, wrongly = int(silent["unanswerable"].sum()), int((~spoken).sum())
    mark = " (quotes)" if least == ANSWERED else " (guard)" if least == HOPELESS else ""
    seeming = f"{silent['unanswerable'].mean():.3f}" if held["unanswerable"] else ""
    precision = f"{rightly / max(1, rightly + wrongly):.3f}" if held["unanswerable"] else ""
    return (
        f"| {least:.2f}{mark} | {spoken.mean():.3f} | {right:.3f} | {first:.3f} | {seeming} | "
        f"{silent['left out'].mean():.3f} | {precision} |"
    )


def fit(asked: Sequence[Asked], names: Sequence[str]) -> dict[str, float]:
    """Returns the weights of a logistic regression on the half for tuning, both classes counting alike."""
    mine = [one for one in asked if one.tuning]
    columns = [NAMES.index(name) for name in names]
    values = np.array([[one.found[at] for at in columns] + [1.0] for one in mine])
    true = np.array([one.kind == "answerable" for one in mine])
    counts = np.array([LEFT_OUT if one.kind == "left out" else 1.0 for one in mine])
    share = np.where(true, counts / counts[true].sum(), counts / counts[~true].sum()) * len(mine) / 2
    weights = np.zeros(values.shape[1])
    for _ in range(60):
        likely = 1 / (1 + np.exp(-np.clip(values @ weights, -30, 30)))
        slope = values.T @ (share * (likely - true)) + weights
        weights -= np.linalg.solve(
            (values * (share * likely * (1 - likely))[:, None]).T @ values + np.eye(len(weights)), slope
        )
    return dict(zip((*names, "bias"), weights.round(2).tolist(), strict=True))


def refit(asked: Sequence[Asked], name: str, *, by_words: bool) -> None:
    """Prints weights; what speaks against an answer never speaks for it."""
    names = [one for one in NAMES if not (by_words and one == "cosine")]
    weights = fit(asked, names)
    names = [one for one in names if not (one in FAULTS and weights[one] > 0)]
    print(f"{name} = {fit(asked, names)}")


async def main(*, fitting: bool) -> None:
    print(machine())
    async with product() as kaynak:
        asked = {language: await ask(kaynak, name) for name, language in SETS.items()}
    if not fitting:
        for language, found in asked.items():
            table(language, found)
        return
    refit(asked["English"], "BY_MEANING", by_words=False)
    # What only seems to be answered stands in the English set alone.
    refit([*asked["English"], *asked["Turkish"] * TURKISH], "BY_WORDS", by_words=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--refit", action="store_true", help="print weights instead of the tables")
    asyncio.run(main(fitting=parser.parse_args().refit))
