import json

from . import handlers  # noqa: F401 - registers the routes
from .routes import ROUTES
from .sessions import session_of


async def serve(reader, writer):
    """One client, as long as it stays: this coroutine outlives every edit."""
    while line := await reader.readline():
        user, command, *words = line.decode().split()
        writer.write(answer(user, command, words))
        await writer.drain()
    writer.close()


def answer(user, command, words):
    return json.dumps(ROUTES[command](session_of(user), *words)).encode() + b"\n"
