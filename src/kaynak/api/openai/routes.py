from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from kaynak.api.deps import AskingScope, CurrentScope, Json, Renewal, Services, checked_query
from kaynak.api.guarding import Guard
from kaynak.api.links import absolute
from kaynak.api.openai.asking import asked
from kaynak.api.openai.bodies import ChatBody, EmbeddingBody
from kaynak.api.openai.completions import Completion
from kaynak.api.openai.embedding import embeddings
from kaynak.api.openai.errors import OpenAIRoute
from kaynak.api.openai.listing import model, models
from kaynak.api.openai.streaming import CompletionStream

router = APIRouter(prefix="/v1", route_class=OpenAIRoute, include_in_schema=False)


@router.post("/chat/completions")
async def complete(body: ChatBody, request: Request, kaynak: Services, scope: AskingScope, renew: Renewal) -> Response:
    """Answers the last message from the collections that the model's name names."""
    question = asked(body)
    checked_query(kaynak, question.request.search.query)
    completion = Completion(body.model, question, lambda path: absolute(request, path))
    guard = Guard(kaynak, scope, renew)
    if not body.stream:
        answer = await kaynak.asker.ask(question.request, scope)
        guard.rests_on(answer.hits)
        await guard.settle(answer.took_ms)
        return Json(completion.whole(answer))
    usage = body.stream_options is not None and bool(body.stream_options.include_usage)
    chunks = completion.chunks(guard.watch(kaynak.asker.stream(question.request, scope)), include_usage=usage)
    return await CompletionStream.begin(chunks)


@router.post("/embeddings")
async def embed(body: EmbeddingBody, kaynak: Services, scope: CurrentScope) -> Response:
    """Turns texts into vectors."""
    return Json(await embeddings(body, kaynak, scope))


@router.get("/models")
async def list_models(kaynak: Services, scope: CurrentScope) -> Response:
    """Lists collections and embedding models."""
    return Json({"object": "list", "data": await models(kaynak, scope)})


@router.get("/models/{name:path}")
async def get_model(name: str, kaynak: Services, scope: CurrentScope) -> Response:
    """Shows one model."""
    return Json(await model(kaynak, scope, name))
