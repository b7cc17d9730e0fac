"""A receiver of PIOPIY webhooks that loses none and counts none twice, with FastAPI behind uvicorn.

    PORT=5000 STORE=webhooks.sqlite python receiver.py

The body is read by hand: a Pydantic model would refuse what it does not know, and round numbers.
"""

import asyncio
import json
import os
import sqlite3
import threading

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.requests import ClientDisconnect

LIMIT = 1 << 20
PATIENCE = 10
app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

# Durable before the answer: a unique column makes one of two copies, at whatever moment they come.
lock = threading.Lock()
store = sqlite3.connect(os.environ.get("STORE", "webhooks.sqlite"), check_same_thread=False, isolation_level=None)
store.executescript(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "CREATE TABLE IF NOT EXISTS webhook (seq INTEGER PRIMARY KEY AUTOINCREMENT, identity TEXT NOT NULL UNIQUE, "
    "kind TEXT NOT NULL, cmiuuid TEXT NOT NULL, leg TEXT, status TEXT NOT NULL, body TEXT NOT NULL)"
)


class Refusal(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


@app.post("/webhook/cdr")
async def webhook(request: Request):
    if request.headers.get("content-type", "application/json").split(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "send application/json")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal(415, "send it as it is, without Content-Encoding")
    if "content-length" in request.headers and "transfer-encoding" in request.headers:
        # h11 goes by the second, a proxy perhaps by the first: what one takes for a body the other takes for a request.
        raise Refusal(400, "the length is said in two ways")
    row = read(await body_of(request))
    # Not on the loop: the sync to the disk would stop everybody.
    await asyncio.to_thread(add, row)
    return PlainTextResponse("got it\n")


@app.get("/__observe")
async def observe(request: Request):
    """For tests on this machine only: docs/observing.md."""
    if "capabilities" in request.query_params:
        return {"observe": 1, "fields": True, "state": False, "quarantine": False}
    lines = []
    for *told, body in await asyncio.to_thread(since, int(request.query_params.get("since", 0))):
        head = json.dumps(dict(zip(("seq", "kind", "cmiuuid", "leg", "status"), told)))
        lines.append(f'{head[:-1]}, "fields": {body}}}\n')
    return Response("".join(lines), media_type="application/x-ndjson")


@app.exception_handler(Refusal)
async def refused(_request, error):
    return PlainTextResponse(f"{error}\n", error.status, {"Connection": "close"})


@app.exception_handler(sqlite3.Error)
async def store_is_away(_request, _error):
    return PlainTextResponse("the store is away\n", 503, {"Retry-After": "30"})


async def body_of(request):
    body = b""
    if int(request.headers.get("content-length", 0)) > LIMIT:
        raise Refusal(413, "the body is too long")
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LIMIT:
                    raise Refusal(413, "the body is too long")
    except TimeoutError:
        raise Refusal(408, "the body takes too long") from None
    except ClientDisconnect:
        raise Refusal(400, "the body is not whole") from None
    return body


def add(row):
    with lock:
        store.execute(
            "INSERT INTO webhook (identity, kind, cmiuuid, leg, status, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row
        )


def since(seq):
    with lock:
        return store.execute(
            "SELECT seq, kind, cmiuuid, leg, status, body FROM webhook WHERE seq > ? ORDER BY seq", (seq,)
        ).fetchall()


def read(body):
    """The row of a webhook. There is no event id: what makes two deliveries the same is in them."""
    try:
        text = body.decode("utf-8-sig")
        # Numbers stay as they were written: a float would lose digits.
        parsed = json.loads(text, parse_int=str, parse_float=str, parse_constant=no_constant)
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is not JSON in UTF-8") from None
    if not isinstance(parsed, dict):
        raise Refusal(422, "the body is no object")
    for key in ("cmiuuid", "status"):
        if not isinstance(parsed.get(key), str) or not parsed[key]:
            raise Refusal(422, f"{key} is missing, or is no text")
    kind, leg = kind_of(parsed), parsed.get("leg")
    identity = json.dumps([kind, parsed["cmiuuid"], leg, parsed["status"], None if kind == "cdr" else parsed.get("time")])
    row = (identity, kind, parsed["cmiuuid"], leg if isinstance(leg, str) else None, parsed["status"], text.translate({13: " ", 10: " "}))
    try:
        "".join(part or "" for part in row).encode()
    except UnicodeEncodeError:
        raise Refusal(422, "half a character in an id or a status") from None
    return row


def kind_of(parsed):
    """`type` says it where there is one; the current pages have none, and only a CDR tells of a whole leg."""
    if "type" in parsed:
        return parsed["type"] if parsed["type"] in ("cdr", "event") else "unknown"
    return "cdr" if any(key in parsed for key in ("duration", "start_time", "end_time")) else "event"


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "5000"))
    print(f"listening on http://127.0.0.1:{port}", flush=True)
    uvicorn.run(
        app, host="127.0.0.1", port=port, http="h11", backlog=1024, timeout_keep_alive=5, timeout_graceful_shutdown=5,
        access_log=False, server_header=False, log_level="warning",
    )
