"""A PIOPIY application: a menu, an audio stream that says back what it hears, and webhooks that count once."""

import base64
import json
import os
import threading

from flask import Flask, jsonify, request
from flask_sock import Sock
from werkzeug.serving import make_server

PORT = int(os.environ.get("PORT", "5000"))

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 256 * 1024
sock = Sock(app)

saying = threading.Lock()


def say(*words):
    """A line of its own: `print` writes word by word, and each request has its thread."""
    with saying:
        print(*words, flush=True)


@app.post("/answer")
def answer():
    """The caller hears a menu and presses a key."""
    return jsonify(
        [
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
    )


@app.post("/digits")
def digits():
    body = request.get_json(silent=True)
    # PIOPIY's samples have a string here.
    pressed = str(body.get("dtmf", "")) if isinstance(body, dict) else ""
    if pressed == "1":
        url = f"ws://127.0.0.1:{PORT}/stream"
        stream = {"action": "stream", "ws_url": url, "listen_mode": "caller", "voice_quality": "8000"}
        return jsonify([stream, {"action": "hangup"}])
    if pressed == "2":
        agent = {"type": "pstn", "number": 442079460000}
        return jsonify([{"action": "bridge", "timeout": 20, "connect": [agent]}, {"action": "hangup"}])
    return jsonify([{"action": "speak", "text": "Goodbye."}, {"action": "hangup"}])


def identity(webhook):
    """There is no event id: this is what makes two deliveries the same webhook."""
    same = (webhook["cmiuuid"], webhook.get("leg"))
    if "duration" in webhook:
        return (*same, "cdr", webhook.get("status"))
    return (*same, "event", webhook.get("status"), webhook.get("time"))


seen = set()
seen_lock = threading.Lock()


@app.post("/webhook/cdr")
def webhook():
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not isinstance(body.get("cmiuuid"), str):
        return "this is no webhook", 400
    key = json.dumps(identity(body))
    # Two copies may come at the same moment, each in a thread of its own.
    with seen_lock:
        is_new = key not in seen
        seen.add(key)
    if is_new:
        say("webhook", "cdr" if "duration" in body else "event", body.get("status"), body.get("leg"))
    return "got it"


@sock.route("/stream")
def stream(socket):
    frames = 0
    try:
        while True:
            data = socket.receive()
            # Binary frames are 16-bit samples; what is said goes back as text.
            if isinstance(data, bytes):
                frames += 1
                audio = base64.b64encode(data).decode()
                message = {"audioDataType": "raw", "sampleRate": 8000, "audioData": audio}
                socket.send(json.dumps({"type": "streamAudio", "data": message}))
    finally:
        say(f"stream over after {frames} frames")


if __name__ == "__main__":
    server = make_server("127.0.0.1", PORT, app, threaded=True)
    say(f"listening on http://127.0.0.1:{server.server_port}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
