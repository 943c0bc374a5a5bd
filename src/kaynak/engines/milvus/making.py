from __future__ import annotations

from kaynak.domain import Conflict
from kaynak.engines.milvus import labels
from kaynak.engines.milvus.library import MilvusClient
from kaynak.engines.milvus.rows import schema_of
from kaynak.engines.milvus.spec import METRICS, Layout, layout_from, main_collection
from kaynak.engines.milvus.store import Store, each
from kaynak.engines.protocol import DenseSpec


def make(store: Store, client: MilvusClient, layout: Layout, spec: DenseSpec) -> None:
    """Makes the collections of an index, and says with the last step that it is there.

    Raises:
        Conflict: There is one of this name that is built differently.
    """
    known = labels.find(store, client, layout.name)
    if known is not None:
        if not layout_from(layout.name, known[labels.SPEC]).fits(spec, layout):
            raise Conflict(f"Index “{layout.name}” exists and is built differently.")
        return
    remove(store, client, layout.name)  # what was left half made
    each(layout.collections, lambda name: _make_collection(store, client, layout, name))
    labels.keep(store, client, layout, 0)


def _make_collection(store: Store, client: MilvusClient, layout: Layout, name: str) -> None:
    options = store.options
    field = layout.fields[layout.collections.index(name)]
    # Strong is what whoever else reads the collection gets.
    client.create_collection(
        name,
        schema=schema_of(field, words=store.embedded),
        num_shards=1 if store.embedded else options.shards,
        consistency_level="Strong",
        timeout=options.seconds,
    )
    index = client.prepare_index_params()
    # The inner name is what milvus-lite reads them by; servers do too.
    params = {"params": layout.build_params}
    index.add_index("vector", index_type=layout.index_type, metric_type=METRICS[field.metric], params=params)
    # Not waiting for it: there is nothing to index yet.
    client.create_index(name, index, timeout=options.seconds, sync=False)
    labels.load(store, client, name)


def remove(store: Store, client: MilvusClient, name: str) -> None:
    """Removes the collections of an index, the one that says that it is there first."""
    main = main_collection(store.options.prefix, name)
    for one in sorted(client.list_collections(timeout=store.options.seconds)):
        if one == main or one.startswith(f"{main}_"):
            client.drop_collection(one, timeout=store.options.seconds)
