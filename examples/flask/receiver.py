"""A receiver of PIOPIY webhooks that loses none and counts none twice, with Flask behind waitress.

    PORT=5000 STORE=webhooks.sqlite python receiver.py

The development server of Flask is no server for this: one slow client after another holds its threads.
"""

import json
import os
import signal
import sqlite3
import sys
import threading
import time

import waitress
from flask import Flask, Response, request
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from werkzeug.exceptions import HTTPException

LIMIT = 1 << 20
app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = LIMIT

# Durable before the answer: a unique column makes one of two copies, at whatever moment they come.
lock = threading.Lock()
store = sqlite3.connect(os.environ.get("STORE", "webhooks.sqlite"), check_same_thread=False, isolation_level=None)
store.executescript(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "CREATE TABLE IF NOT EXISTS webhook (seq INTEGER PRIMARY KEY AUTOINCREMENT, identity TEXT NOT NULL UNIQUE, "
    "kind TEXT NOT NULL, cmiuuid TEXT NOT NULL, leg TEXT, status TEXT NOT NULL, body TEXT NOT NULL)"
)


class OneLength(HTTPRequestParser):
    """waitress goes by Transfer-Encoding, a proxy perhaps by Content-Length: what one takes for a body the other takes for a request."""

    def parse_header(self, header_plus):
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("the length is said in two ways")


class Refusal(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


@app.post("/webhook/cdr")
def webhook():
    if request.mimetype not in ("", "application/json"):
        raise Refusal(415, "send application/json")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Refusal(415, "send it as it is, without Content-Encoding")
    row = read(request.get_data(cache=False))
    with lock:
        store.execute(
            "INSERT INTO webhook (identity, kind, cmiuuid, leg, status, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row
        )
    return "got it\n", {"Content-Type": "text/plain"}


@app.get("/__observe")
def observe():
    """For tests on this machine only: docs/observing.md."""
    if "capabilities" in request.args:
        return {"observe": 1, "fields": True, "state": False, "quarantine": False}
    with lock:
        rows = store.execute(
            "SELECT seq, kind, cmiuuid, leg, status, body FROM webhook WHERE seq > ? ORDER BY seq", (int(request.args.get("since", 0)),)
        ).fetchall()
    lines = []
    for *told, body in rows:
        head = json.dumps(dict(zip(("seq", "kind", "cmiuuid", "leg", "status"), told)))
        lines.append(f'{head[:-1]}, "fields": {body}}}\n')
    return Response("".join(lines), mimetype="application/x-ndjson")


@app.errorhandler(Refusal)
def refused(error):
    return f"{error}\n", error.status, {"Content-Type": "text/plain"}


@app.errorhandler(HTTPException)
def told_plainly(error):
    response = error.get_response()
    response.data, response.content_type = f"{error.name}\n", "text/plain"
    return response


@app.errorhandler(sqlite3.Error)
def store_is_away(_error):
    return "the store is away\n", 503, {"Content-Type": "text/plain", "Retry-After": "30"}


def read(body):
    """The row of a webhook. There is no event id: what makes two deliveries the same is in them."""
    try:
        text = body.decode("utf-8-sig")
        # Numbers stay as they were written: a float would lose digits.
        webhook = json.loads(text, parse_int=str, parse_float=str, parse_constant=no_constant)
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is not JSON in UTF-8") from None
    if not isinstance(webhook, dict):
        raise Refusal(422, "the body is no object")
    for key in ("cmiuuid", "status"):
        if not isinstance(webhook.get(key), str) or not webhook[key]:
            raise Refusal(422, f"{key} is missing, or is no text")
    kind, leg = kind_of(webhook), webhook.get("leg")
    identity = json.dumps([kind, webhook["cmiuuid"], leg, webhook["status"], None if kind == "cdr" else webhook.get("time")])
    row = (identity, kind, webhook["cmiuuid"], leg if isinstance(leg, str) else None, webhook["status"], text.translate({13: " ", 10: " "}))
    try:
        "".join(part or "" for part in row).encode()
    except UnicodeEncodeError:
        raise Refusal(422, "half a character in an id or a status") from None
    return row


def kind_of(webhook):
    """`type` says it where there is one; the current pages have none, and only a CDR tells of a whole leg."""
    if "type" in webhook:
        return webhook["type"] if webhook["type"] in ("cdr", "event") else "unknown"
    return "cdr" if any(key in webhook for key in ("duration", "start_time", "end_time")) else "event"


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


def serve(port):
    # With hundreds of connections open the loop below is busy all the time, and a thread waits for its turn whenever it has waited
    # for the disk: with Python's 5 ms each, 512 webhooks at once take 10 to 20 s, with these 1 to 2.5.
    sys.setswitchinterval(0.0002)
    HTTPChannel.parser_class = OneLength
    server = waitress.create_server(
        app, host="127.0.0.1", port=port, threads=8, backlog=1024, connection_limit=2000, channel_timeout=10, cleanup_interval=2,
        max_request_body_size=LIMIT, max_request_header_size=64 << 10, ident=None, asyncore_use_poll=True,
    )
    print(f"listening on http://127.0.0.1:{port}", flush=True)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    while not stopping.is_set():
        wasyncore.loop(timeout=0.2, use_poll=True, map=server._map, count=1)
    # Nobody new; who has begun gets an answer, which waitress itself would not wait for.
    server.del_channel()
    server.socket.close()
    until = time.monotonic() + 5
    while time.monotonic() < until and any(map(is_busy, list(server.active_channels.values()))):
        wasyncore.loop(timeout=0.05, use_poll=True, map=server._map, count=1)
    server.task_dispatcher.shutdown()


def is_busy(channel):
    return channel.request is not None or channel.requests or channel.total_outbufs_len > 0


if __name__ == "__main__":
    serve(int(os.environ.get("PORT", "5000")))
