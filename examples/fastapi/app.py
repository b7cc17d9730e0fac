"""A PIOPIY application: a menu, an audio stream that says back what it hears, and webhooks that count once."""

import base64
import json
import os
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect

PORT = int(os.environ.get("PORT", "5000"))


@asynccontextmanager
async def lifespan(_app: FastAPI):
    print(f"listening on http://127.0.0.1:{PORT}", flush=True)
    yield


app = FastAPI(title="A PIOPIY application", lifespan=lifespan)


async def body_of(request: Request, most: int = 256 * 1024):
    """The JSON body; None where it is too long, or no JSON."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


@app.post("/answer")
async def answer():
    """The caller hears a menu and presses a key."""
    return [
        {
            "action": "play_get_input",
            "file_name": "menu.wav",
            "max_digit": 1,
            "max_retry": 2,
            "timeout": 5,
            "action_url": f"http://127.0.0.1:{PORT}/digits",
        },
        {"action": "speak", "text": "Nothing was pressed. Goodbye."},
        {"action": "hangup"},
    ]


@app.post("/digits")
async def digits(request: Request):
    body = await body_of(request)
    # PIOPIY's samples have a string here.
    pressed = str(body.get("dtmf", "")) if isinstance(body, dict) else ""
    if pressed == "1":
        url = f"ws://127.0.0.1:{PORT}/stream"
        stream = {"action": "stream", "ws_url": url, "listen_mode": "caller", "voice_quality": "8000"}
        return [stream, {"action": "hangup"}]
    if pressed == "2":
        agent = {"type": "pstn", "number": 442079460000}
        return [{"action": "bridge", "timeout": 20, "connect": [agent]}, {"action": "hangup"}]
    return [{"action": "speak", "text": "Goodbye."}, {"action": "hangup"}]


def identity(webhook):
    """There is no event id: this is what makes two deliveries the same webhook."""
    same = (webhook["cmiuuid"], webhook.get("leg"))
    if "duration" in webhook:
        return (*same, "cdr", webhook.get("status"))
    return (*same, "event", webhook.get("status"), webhook.get("time"))


seen = set()


@app.post("/webhook/cdr")
async def webhook(request: Request):
    body = await body_of(request)
    if not isinstance(body, dict) or not isinstance(body.get("cmiuuid"), str):
        return Response("this is no webhook", status_code=400)
    key = json.dumps(identity(body))
    # One thread, and nothing is awaited in between: two copies cannot both be new.
    if key not in seen:
        seen.add(key)
        print("webhook", "cdr" if "duration" in body else "event", body.get("status"), body.get("leg"), flush=True)
    return Response("got it")


@app.websocket("/stream")
async def stream(socket: WebSocket):
    await socket.accept()
    frames = 0
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                break
            # Binary frames are 16-bit samples; what is said goes back as text.
            data = message.get("bytes")
            if data is not None:
                frames += 1
                audio = base64.b64encode(data).decode()
                said = {"audioDataType": "raw", "sampleRate": 8000, "audioData": audio}
                await socket.send_text(json.dumps({"type": "streamAudio", "data": said}))
    except WebSocketDisconnect:
        pass
    finally:
        print(f"stream over after {frames} frames", flush=True)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
