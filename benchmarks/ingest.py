"""Text ingest, upload to searchable, against the raw throughput of our own embedder on the same passages.

The whole product runs as ``kaynak up``; the documents go over HTTP in batches; the clock stops when every job has
ended, which is when every passage is searchable. The raw figure embeds the very passages the product stored, in the
same process count, with nothing else going on.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from common import corpus, machine, running_server, server_memory, upload
from kaynak.chunking import embedding_text
from kaynak.embedding import EmbedderPool


async def raw(texts: list[str]) -> float:
    """Returns the seconds the embedder alone needs for the texts."""
    pool = EmbedderPool(threads=0, precision="auto", runtime="auto", batch=32)
    embedder = await pool.get("minilm")
    await embedder.embed(texts[:64], "document")
    begin = time.perf_counter()
    await embedder.embed(texts, "document")
    spent = time.perf_counter() - begin
    await pool.close()
    return spent


def main() -> None:
    """Prints a Markdown table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--set", default="scifact")
    arguments.add_argument("--limit", type=int)
    options = arguments.parse_args()
    documents = corpus(options.set)[: options.limit]
    batch = [{"external_id": row["id"], "title": row["title"] or None, "text": row["text"]} for row in documents]
    with running_server() as (client, server, data_dir):
        spent = upload(client, "bench", batch)
        listing: list[dict[str, str]] = []
        after = None
        while True:
            query = {"limit": "200", **({"after": after} if after else {})}
            page = client.get("/v1/collections/bench/documents", params=query).raise_for_status().json()
            listing += page["items"]
            if not (after := page["next"]):
                break
        texts = []
        for row in listing:
            chunks = client.get(f"/v1/documents/{row['id']}/chunks", params={"limit": "200"}).json()["items"]
            texts += [embedding_text(row["title"], tuple(part["headings"]), part["text"]) for part in chunks]
        memory = server_memory(server, data_dir)
    alone = asyncio.run(raw(texts))
    print(f"Ingest of {len(documents)} documents ({options.set}), {len(texts)} passages, {machine()}\n")
    print("| | seconds | passages/s | documents/s |\n| --- | --- | --- | --- |")
    for name, seconds in (("upload to searchable", spent), ("embedder alone", alone)):
        print(f"| {name} | {seconds:.1f} | {len(texts) / seconds:.0f} | {len(documents) / seconds:.0f} |")
    print(f"\nRatio: {alone / spent:.2f}. Memory afterwards: {sum(memory.values()):.0f} MB.")


if __name__ == "__main__":
    main()
