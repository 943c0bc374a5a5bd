from __future__ import annotations

from collections.abc import Callable

from kaynak.domain import Conflict
from kaynak.engines.milvus import labels
from kaynak.engines.milvus.form import Collection, Form
from kaynak.engines.milvus.library import MilvusClient
from kaynak.engines.milvus.store import Store, each


def make(
    store: Store,
    client: MilvusClient,
    form: Form,
    collections: Callable[[], list[Collection]],
    fits: Callable[[str], bool],
) -> None:
    """Makes the collections of an index, and says with the last step that it is there.

    Args:
        store: Where to.
        client: Connected to it.
        form: Of the index.
        collections: Returns what it needs.
        fits: Whether one of which this is stored is what is asked for.

    Raises:
        Conflict: There is one of this name that is built differently.
    """
    known = labels.find(store, client, form.main)
    if known is not None:
        if not fits(known[labels.SPEC]):
            raise Conflict(f"Index “{form.name}” exists and is built differently.")
        return
    wanted = collections()
    remove(store, client, form.main)  # what was left half made
    each(wanted, lambda one: _make_collection(store, client, one))
    labels.keep(store, client, form, 0)


def _make_collection(store: Store, client: MilvusClient, wanted: Collection) -> None:
    options = store.options
    # Strong is what whoever else reads the collection gets.
    client.create_collection(
        wanted.name,
        schema=wanted.schema,
        num_shards=1 if store.embedded else options.shards,
        consistency_level="Strong",
        timeout=options.seconds,
    )
    index = client.prepare_index_params()
    # The inner name is what milvus-lite reads them by; servers do too.
    params = {"params": dict(wanted.params)}
    index.add_index("vector", index_type=wanted.index_type, metric_type=wanted.metric, params=params)
    # Not waiting for it: there is nothing to index yet.
    client.create_index(wanted.name, index, timeout=options.seconds, sync=False)
    labels.load(store, client, wanted.name)


def remove(store: Store, client: MilvusClient, main: str) -> None:
    """Removes the collections of an index, the one that says that it is there first."""
    for one in sorted(client.list_collections(timeout=store.options.seconds)):
        if one == main or one.startswith(f"{main}_"):
            client.drop_collection(one, timeout=store.options.seconds)
    labels.forget(store, main)
