import base64
import hashlib
import hmac
import json
import os
import random
import re
import selectors
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

#DATA#


START = ("RECEIVER_START", "a command that starts the receiver in the background")


class Missing(Exception):
    pass


def setting(name, default, what):
    value = os.environ.get(name) or default
    if not value:
        raise Missing(f"set {name}: {what}")
    return value


URL = urllib.parse.urlsplit(sys.argv[1] if len(sys.argv) > 1 else setting("URL", TARGET, "the receiver's URL"))
MARK = re.compile(rb"\{\{piopiy:([A-Za-z0-9._-]+?)(?:@(\d+)-(\d*))?\}\}")


def fresh(old):
    """An id of the same shape: what is a digit or a letter stays one."""
    is_uuid = re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", old)
    out = ""
    for at, char in enumerate(old):
        if is_uuid and (at in (14, 19) or char == "-"):
            out += char
        elif is_uuid:
            out += random.choice("0123456789ABCDEF" if char.isupper() else "0123456789abcdef")
        elif char.isdigit() and char.isascii():
            out += random.choice("0123456789")
        elif char.isalpha() and char.isascii():
            new = random.choice("abcdefghijklmnopqrstuvwxyz")
            out += new.upper() if char.isupper() else new
        else:
            out += char
    return out


TRIES = int(os.environ.get("TRIES") or 5)
NEW = list(IDS) if os.environ.get("EXACT_IDS") else [fresh(old) for old in IDS]


def secret(name):
    if name == "Authorization":
        token = setting("PIOPIY_MOCK_TOKEN", "", "the token that the receiver wants")
        return token if " " in token else "Bearer " + token
    return setting("SECRET_" + name.upper().replace("-", "_"), "", f"the value of {name}")


def changed(value, how):
    return {"wrong": value[::-1] + value[:1], "cut": value[: len(value) // 2]}.get(how, value)


STRAY_KEY = b"\x5a" * 32


def signing_key():
    text = setting("SIGNING_KEY", "", "the key that webhooks are signed with, whsec_...").strip()
    text = text[len("whsec_") :] if text.startswith("whsec_") else text
    return base64.b64decode(text + "=" * (-len(text) % 4))


def written(signed):
    """The id, the time and the signature of a request that is sent now; an id is the same for the same webhook."""
    if signed is None:
        return None
    old, ahead, form, is_stray, body = signed
    fresh_part = hashlib.sha256("".join([*NEW, old]).encode()).hexdigest()[:24]
    own, at = old if os.environ.get("EXACT_IDS") else "msg_" + fresh_part, str(int(time.time()) + ahead)

    def sign(key):
        text = f"{own}.{at}.".encode() + filled(body)
        return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()

    right = sign(STRAY_KEY if is_stray else signing_key())
    forms = {"one": right, "behind_another": sign(STRAY_KEY) + " " + right, "malformed": "v1,==, v1 sha256="}
    return {"id": own, "time": at, "signature": forms[form]}


def named(name, signed=()):
    kind, _, rest = name.partition(".")
    if kind == "signed":
        number, _, which = rest.partition(".")
        return signed[int(number)][which]
    if kind == "id":
        return NEW[int(rest)]
    if kind == "host":
        return URL.netloc.rpartition("@")[2]
    if kind == "target":
        target = (URL.path or "/") + ("?" + URL.query if URL.query else "")
        if not rest:
            return target
        mark = "=" if "?" in target else "/"
        before, _, own = target.rpartition(mark)
        return before + mark + changed(own, rest)
    header, _, how = rest.partition(".")
    return changed(secret(header), how)


def filled(data, signed=()):
    """The bytes with every mark replaced by what it stands for in this run."""

    def value(found):
        text = named(found[1].decode(), signed).encode()
        if found[2] is None:
            return text
        return text[int(found[2]) : int(found[3]) if found[3] else None]

    return MARK.sub(value, data)


def trust(takes_anyone):
    """Whose word is taken for who the receiver is: as CACERT and INSECURE say."""
    context = ssl.create_default_context(cafile=os.environ.get("CACERT"))
    if takes_anyone and os.environ.get("INSECURE"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Tls:
    """TLS on a connection, for one thread that writes and another one that reads."""

    def __init__(self, opening, name):
        context = trust(opening != "verified")
        context.set_alpn_protocols(["http/1.1"])
        if opening == "nameless":
            context.check_hostname, name = False, None
        self.lock, self.came, self.goes = threading.Lock(), ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.came, self.goes, server_hostname=name)

    def begin(self, own):
        """Greets over a socket that still blocks."""
        while True:
            try:
                self.tls.do_handshake()
                own.sendall(self.goes.read())
                return
            except ssl.SSLWantReadError:
                own.sendall(self.goes.read())
                data = own.recv(65536)
                if not data:
                    raise ConnectionError("the connection ends while TLS begins")
                self.came.write(data)

    def sealed(self, data):
        with self.lock:
            self.tls.write(data)
            return self.goes.read()

    def opened(self, data):
        """What bytes that came say, and whether nothing more will come."""
        with self.lock:
            said = b""
            if data:
                self.came.write(data)
            else:
                self.came.write_eof()
            try:
                while True:
                    piece = self.tls.read(65536)
                    if not piece:
                        return said, True
                    said += piece
            except ssl.SSLWantReadError:
                return said, False
            except ssl.SSLError:
                return said, True

    def farewell(self):
        with self.lock:
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                # The other side has not said its own yet.
                pass
            return self.goes.read()


def port_of(url):
    return url.port or (443 if url.scheme == "https" else 80)


class Answers:
    """Reads answers as they come, as far as it has to know where one ends."""

    def __init__(self, methods):
        self.methods, self.buffer, self.done, self.interim = methods, b"", [], []
        self.garbled, self.first = False, b""

    def push(self, data, at):
        self.buffer, self.first = self.buffer + data, self.first or data[:1]
        while not self.garbled and self.step(at, False):
            pass

    def end(self, at):
        if not self.garbled and not self.step(at, True) and self.buffer:
            self.garbled = True

    def step(self, at, is_over):
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            if self.buffer and not b"HTTP/".startswith(self.buffer[:5]) and self.buffer[:5] != b"HTTP/":
                self.garbled = True
            return False
        lines = head.decode("latin-1").split("\r\n")
        try:
            status = int(lines[0].split(" ")[1])
        except (IndexError, ValueError):
            self.garbled = True
            return False
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.setdefault(name.strip().lower(), value.strip())
        if 100 <= status < 200 and status != 101:
            self.interim.append(status)
            self.buffer = rest
            return True
        method = self.methods[len(self.done)] if len(self.done) < len(self.methods) else "POST"
        body = b""
        if method != "HEAD" and status not in (204, 304):
            if "chunked" in headers.get("transfer-encoding", "").lower():
                try:
                    body, rest = self.chunked(rest)
                except ValueError:
                    self.garbled = True
                    return False
                if body is None:
                    return False
            elif "content-length" in headers:
                length = headers["content-length"]
                if not length.isdigit():
                    self.garbled = True
                    return False
                if len(rest) < int(length):
                    return False
                body, rest = rest[: int(length)], rest[int(length) :]
            elif is_over:
                body, rest = rest, b""
            else:
                return False
        self.done.append({"status": status, "headers": headers, "body": body, "at": at, "interim": self.interim})
        self.interim, self.buffer = [], rest
        return True

    @staticmethod
    def chunked(rest):
        body = b""
        while True:
            line, found, rest = rest.partition(b"\r\n")
            if not found:
                return None, rest
            size = int(line.split(b";")[0].strip(), 16)
            if size == 0:
                while True:
                    line, found, rest = rest.partition(b"\r\n")
                    if not found:
                        return None, rest
                    if not line:
                        return body, rest
            if len(rest) < size + 2:
                return None, rest
            body, rest = body + rest[:size], rest[size + 2 :]


RECORD = 16384
# What answers a greeting of TLS, by its first byte.
TLS_RECORDS = {b"\x15": "a TLS alert", b"\x16": "a TLS handshake"}


class Connection:
    """Does what a connection of the failed run did, and reads meanwhile."""

    def __init__(self, script, barrier, start, begun):
        self.script, self.barrier, self.start, self.begun = script, barrier, start, begun
        self.answers = Answers(script["methods"])
        self.signed = [written(signed) for signed in script.get("signed", [])]
        self.ring = threading.Condition()
        self.end, self.timed_out, self.is_over, self.error = "open", False, False, None
        self.sent_at, self.sent_bytes, self.socket, self.tls = [], 0, None, None
        if "arrives_after" not in script:
            self.connect()

    def connect(self):
        base = URL
        if self.script.get("to_second"):
            base = urllib.parse.urlsplit(setting("SECOND_URL", "", "another instance of the receiver"))
        port, opening = self.script.get("port") or port_of(base), self.script.get("opening", "usual")
        addresses = socket.getaddrinfo(base.hostname, port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in addresses:
            if address[0] != self.script.get("address", address[0]):
                continue
            own = socket.socket(family, kind, protocol)
            try:
                if self.script.get("receive_buffer"):
                    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.script["receive_buffer"])
                own.settimeout(5)
                own.connect(address)
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if base.scheme == "https" and opening != "plain":
                    self.tls = Tls(opening, base.hostname)
                    self.tls.begin(own)
                # Never blocking: a thread reads while another one writes.
                own.setblocking(False)
                self.socket, self.error = own, None
                return
            except OSError as error:
                own.close()
                self.error = error

    def now(self):
        return time.monotonic() - self.begun

    def run(self):
        self.start.wait()
        if self.socket is None and "arrives_after" in self.script:
            time.sleep(max(0, self.script["arrives_after"] - self.now()))
            self.connect()
        if self.socket is None:
            if any(action[0] == "meet_others" for action in self.script["actions"]):
                self.meet()
            return
        reader = None
        if not self.script.get("is_deaf"):
            reader = threading.Thread(target=self.receive, daemon=True)
            reader.start()
        for name, *values in self.script["actions"]:
            if name == "unless_kept_end":
                if not self.is_kept():
                    break
            else:
                getattr(self, name)(*values)
        with self.ring:
            # What comes of closing it is not the receiver's doing.
            self.is_over = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        if reader:
            reader.join(1)
        self.socket.close()

    def receive(self):
        while True:
            try:
                if not self.is_ready(selectors.EVENT_READ, 0.2):
                    if self.is_over:
                        return
                    continue
                data = self.socket.recv(65536)
                end = None if data else "closed"
                if self.tls:
                    data, is_last = self.tls.opened(data)
                    end = "closed" if is_last else end
            except BlockingIOError:
                continue
            except (OSError, ValueError):
                data, end = b"", "reset"
            with self.ring:
                if self.is_over:
                    return
                if data:
                    self.answers.push(data, self.now())
                if end:
                    self.answers.end(self.now())
                    self.end = end
                self.ring.notify_all()
                if end:
                    return

    def until(self, is_enough, limit):
        with self.ring:
            over = lambda: is_enough() or self.end != "open" or self.answers.garbled
            if not self.ring.wait_for(over, limit):
                self.timed_out = True

    def is_kept(self):
        with self.ring:
            last = self.answers.done[-1] if self.answers.done else {"headers": {}}
            says_close = "close" in last["headers"].get("connection", "").lower()
            return not self.timed_out and self.end == "open" and not says_close

    def is_ready(self, event, limit):
        """Whether it can be read or written within a time; an error counts as ready, for the call will tell."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, event)
            return bool(selector.select(limit))

    def write(self, data, limit):
        # By TLS in records; what is written is counted, and not what becomes of it.
        for at in range(0, len(data), RECORD if self.tls else max(1, len(data))):
            piece = data[at : at + RECORD] if self.tls else data
            try:
                if not self.hand_over(self.tls.sealed(piece) if self.tls else piece, limit):
                    return False
            except (OSError, ValueError):
                return False
            if self.tls:
                self.sent_bytes += len(piece)
        return True

    def hand_over(self, data, limit):
        view = memoryview(data)
        while view:
            if not self.is_ready(selectors.EVENT_WRITE, limit):
                return False
            try:
                count = self.socket.send(view)
            except BlockingIOError:
                continue
            if not self.tls:
                self.sent_bytes += count
            view = view[count:]
        return True

    def send(self, data, ends_request=True, every=None, pause=0):
        data = filled(data, self.signed)
        if every is None:
            self.write(data, 10)
        else:
            for at in range(0, len(data), every):
                if self.end != "open" or not self.write(data[at : at + every], 10):
                    break
                time.sleep(pause)
        if ends_request:
            self.sent_at.append(self.now())

    def send_until_blocked(self, data, most, patience):
        start = self.sent_bytes
        while self.sent_bytes - start < most and self.write(data, patience):
            pass

    def pause(self, seconds):
        time.sleep(seconds)

    def held(self, go):
        go.wait()

    def meet(self):
        try:
            self.barrier.wait(5)
        except threading.BrokenBarrierError:
            pass

    def meet_others(self):
        time.sleep(0.002)
        self.meet()

    def answered(self, limit=None):
        wanted = len(self.sent_at)
        self.until(lambda: len(self.answers.done) >= wanted, LIMIT if limit is None else limit)

    def await_close(self, limit):
        self.until(lambda: False, limit)

    def half_close(self):
        try:
            if self.tls:
                self.hand_over(self.tls.farewell(), 1)
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def reset(self):
        with self.ring:
            self.is_over = True
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def is_late(self):
        """Whether an answer was waited for and did not come."""
        return self.timed_out and len(self.answers.done) < len(self.sent_at)

    def latencies(self):
        return [answer["at"] - sent for answer, sent in zip(self.answers.done, self.sent_at)]

    def outcome(self):
        """What became of it, in the words that the failed run is written down in."""
        if self.socket is None:
            return "no connection"
        said = [" ".join(map(str, one["interim"] + [one["status"]])) for one in self.answers.done]
        if self.answers.garbled:
            said.append(TLS_RECORDS.get(self.answers.first, "garbled"))
        if self.end == "closed" and not said:
            said.append("closed")
        elif self.end == "reset" and (RESETS or not said):
            said.append("reset")
        elif not said:
            said.append("nothing")
        if self.script.get("ends_matter"):
            said.append("timed out" if self.timed_out else self.end)
        return ", ".join(said)

    def told(self):
        one = {"outcome": self.outcome()}
        if HEADERS:
            own = [{name: answer["headers"].get(name) for name in HEADERS} for answer in self.answers.done]
            one["headers"] = [{n: "" if n == "set-cookie" and v else v for n, v in it.items()} for it in own]
        if BODIES:
            one["bodies"] = [marked(answer["body"].decode("utf-8", "replace")) for answer in self.answers.done]
        return one


def side_by_side(scripts):
    waiting = sum(any(action[0] == "meet_others" for action in script["actions"]) for script in scripts)
    barrier, start, begun = threading.Barrier(max(1, waiting)), threading.Barrier(len(scripts)), time.monotonic()
    connections = [Connection(script, barrier, start, begun) for script in scripts]
    threads = [threading.Thread(target=one.run) for one in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return connections


def shell(name, what, more=None):
    command = setting(name, "", what)
    if subprocess.run(command, shell=True, env={**os.environ, **(more or {})}).returncode:
        raise Missing(f"{name} failed: {command}")


def wait_for_receiver():
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection((URL.hostname, port_of(URL)), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Missing("the receiver does not listen")


def marked(text):
    for at, new in enumerate(NEW):
        text = text.replace(new, "{{piopiy:id.%d}}" % at)
    for name in SECRETS:
        text = text.replace(secret(name), "{{piopiy:secret.%s}}" % name)
    return text.replace(named("host"), "{{piopiy:host}}")


def records():
    """The receiver's effects (observe protocol v1), or how many there are; None where nobody looks."""
    file, url, command = (os.environ.get(n) or d for n, d in (("OBSERVE_FILE", OBSERVE_FILE), ("OBSERVE_URL", OBSERVE_URL), ("VERIFY_CMD", None)))
    if command:
        return int(subprocess.run(command, shell=True, capture_output=True, check=True).stdout)
    if url:
        parts = urllib.parse.urlsplit(url)
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        request = urllib.request.Request(bare)
        if parts.username is not None:
            pair = urllib.parse.unquote(parts.username) + ":" + urllib.parse.unquote(parts.password or "")
            request.add_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
        secure = urllib.request.HTTPSHandler(context=trust(True))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), secure)
        text = opener.open(request, timeout=10).read().decode()
    elif file:
        text = open(file, encoding="utf-8").read() if os.path.exists(file) else ""
    else:
        return None
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def settled():
    seen, since = records(), time.monotonic()
    while seen is not None and time.monotonic() - since < SETTLE:
        time.sleep(0.05)
        now = records()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen


def effects_of(case, before, after):
    """What is seen of a case, in the words that the failed run is written down in."""
    if after is None or isinstance(after, int):
        return after if after is None else after - before
    last = max((one["seq"] for one in before), default=0)
    told = {}
    for name in case["saw"]["expected"]:
        own = [one for one in after if one.get("cmiuuid") == filled(name.encode()).decode()]
        told[name] = [told_effect(one) for one in own if not one.get("quarantined")]
    if case["is_anonymous"]:
        strays = [one for one in after if one["seq"] > last and not one.get("cmiuuid") and not one.get("quarantined")]
        told[""] = [told_effect(one) for one in strays]
    return told


def told_effect(one):
    keys = ["kind", "leg", "status"] + (["state", "fields"] if CONTENTS else [])
    text = json.dumps({key: one.get(key) for key in keys}, sort_keys=True, ensure_ascii=False)
    return json.loads(marked(text))


def is_wrong_count(range_, count, is_acknowledged):
    least, most = range_
    return -1 if is_acknowledged and count < least else 1 if count > most else 0


def is_stale(call, records):
    """Whether the last effect of a call leaves it in another state than the model does."""
    legs = [filled(leg.encode()).decode() for leg in call["legs"]]
    own = [one for one in records if one.get("cmiuuid") in legs and not one.get("quarantined")]
    return bool(own) and own[-1].get("state") != call["phase"]


def sent_by(case):
    """The members of each webhook that a case sends once, as they are written down."""
    sent, names = {}, []
    for step in case["steps"]:
        for script in next((value for value in step[1:] if isinstance(value, list)), []):
            names += script["of"]
            data = b"".join(action[1] for action in script["actions"] if action[0] == "send")
            try:
                sent[script["of"][0]] = dict(json.loads(data.partition(b"\r\n\r\n")[2]))
            except (IndexError, TypeError, ValueError):
                pass
    return {name: members for name, members in sent.items() if names.count(name) == 1}


def are_mixed_up(effects, sent):
    """Whether an effect has what another webhook said: which ones get mixed up in a race is another matter each time."""

    def is_of_another(name, key, value):
        others = (members.get(key) for other, members in sent.items() if other != name)
        return str(value) != str(sent[name].get(key, value)) and any(str(value) == str(other) for other in others)

    fields = ((name, one.get("fields") or {}) for name, own in effects.items() if name in sent for one in own)
    return any(is_of_another(name, *member) for name, members in fields for member in members.items())


def same_effects(case, now, last, acknowledged):
    saw = case["saw"]
    expected, was = saw["expected"], saw["effects"]
    if now is None:
        raise Missing("set OBSERVE_URL, OBSERVE_FILE or VERIFY_CMD: this failure shows in the effects alone")
    if isinstance(now, int):
        least, most = [sum(ends) for ends in zip(*expected.values())] or [0, 0]
        return is_wrong_count((least, most), now - 1, all(acknowledged.values())) != 0
    if was is None:
        return any(is_wrong_count(expected.get(n, (0, 0)), len(own), acknowledged.get(n, True)) for n, own in now.items())
    if saw["calls"]:
        return any(is_stale(call, last) for call in saw["calls"])
    if CONTENTS:
        sent = sent_by(case)
        return was == now or are_mixed_up(was, sent) and are_mixed_up(now, sent)
    wrong = {is_wrong_count(expected.get(name, (0, 0)), len(own), True) for name, own in was.items()} - {0}
    if wrong:
        kinds = (is_wrong_count(expected.get(n, (0, 0)), len(own), acknowledged.get(n, True)) for n, own in now.items())
        return any(kind in wrong for kind in kinds)
    ordered = lambda effects: {name: sorted(map(json.dumps, own)) for name, own in effects.items()}
    return ordered(was) == ordered(now)


def kinds(case, steps):
    """The kinds of outcomes of requests that are expected to have an effect, and of the others."""
    found = set()
    for step, ones in zip(case["steps"], steps):
        scripts = next((value for value in step[1:] if isinstance(value, list)), [])
        for script, one in zip(scripts, ones):
            found.add((any(script["of"]), json.dumps(one, sort_keys=True)))
    return found


def same_answers(case, saw, now):
    """Of many connections the kinds of outcomes count, of a few each one."""
    if sum(map(len, saw)) > 4:
        return kinds(case, saw) == kinds(case, now)
    key = lambda one: json.dumps(one, sort_keys=True)
    for was, is_ in zip(saw, now):
        if sorted(map(key, was)) != sorted(map(key, is_)):
            return False
    return True


def half_sent():
    """A plain webhook of which half is sent; the other half goes when `finish` is called."""
    signed = [written(signed) for signed in CANARY.get("signed", [])]
    whole = b"".join(filled(action[1], signed) for action in CANARY["actions"] if action[0] == "send")
    half, go = len(whole) // 2, threading.Event()
    actions = [("send", whole[:half], False), ("held", go), ("send", whole[half:], True), ("answered",)]
    one = Connection({**CANARY, "actions": actions}, threading.Barrier(1), threading.Barrier(1), time.monotonic())
    thread = threading.Thread(target=one.run)
    thread.start()

    def finish():
        go.set()
        thread.join()
        return one

    return finish


def perform(case):
    saw = case["saw"]
    matters = saw["matters"]
    # Whoever is asked for effects that decide nothing only does something else than before.
    before = settled() if matters["effects"] else None
    if matters["usage"]:
        raise Missing("it shows in what the receiver's process takes up or writes, which is not looked at here: use replay")
    renew_canary()
    finish = half_sent() if matters["bystander"] else None
    connections_of, steps, slowest, sent, acknowledged = [], [], 0.0, 0, dict.fromkeys(saw["expected"], False)
    glimpsed = {}
    for name, *values in case["steps"]:
        connections = []
        if name == "connections":
            connections = side_by_side(values[0])
        elif name == "pause":
            time.sleep(values[0])
        elif name == "glance" and matters["effects"]:
            # An effect that another one takes the place of later was one all the same.
            seen = records()
            glimpsed.update({one["seq"]: one for one in (seen if isinstance(seen, list) else [])})
        elif name == "command":
            shell(*values)
            if values[0] == "HOOK_CLOCK":
                wait_for_receiver()
        elif name == "start":
            shell(*START)
            wait_for_receiver()
        elif name == "stop_during":
            stop = threading.Thread(target=lambda: (time.sleep(values[1]), shell(*values[0])))
            stop.start()
            connections = side_by_side(values[2])
            stop.join()
        if name in ("command", "start", "stop_during"):
            # What is started again may number anew.
            glimpsed.clear()
        for one in connections:
            slowest, sent = max([slowest, *one.latencies()]), max(sent, one.sent_bytes)
            for answer, of in zip(one.answers.done, one.script["of"]):
                if of in acknowledged and 200 <= answer["status"] < 300:
                    acknowledged[of] = True
        connections_of.append(connections)
        steps.append([one.told() for one in connections])
    bystander = finish() if finish else None
    renew_canary()
    canary = side_by_side([CANARY])[0]
    after = settled() if matters["effects"] else None
    if isinstance(after, list):
        all_seen = {**glimpsed, **{one["seq"]: one for one in after}}
        after = [all_seen[seq] for seq in sorted(all_seen)]
    now = effects_of(case, before, after)
    print(f"case {case['name']!r}")
    some = lambda ones: "; ".join(one["outcome"] for one in ones[:8]) + ("; …" if len(ones) > 8 else "")
    for at, (was, step) in enumerate(zip(saw["steps"], steps)):
        if step and at < 12:
            print(f"  step {at + 1}: {some(step)}\n    failed run: {some(was)}")
    print(f"  plain webhook after it: {canary.outcome()} (failed run: {saw['canary']})")
    if isinstance(now, int):
        print(f"  effects: {now}")
    for name, own in list((now if isinstance(now, dict) else {}).items())[:12]:
        was = (saw["effects"] or {}).get(name)
        print(f"  {filled(name.encode()).decode() or 'without an id'}: {len(own)} effects", end="")
        print("" if was is None else f" (failed run: {len(was)})")
    is_same = True
    if matters["effects"]:
        is_same = same_effects(case, now, after, acknowledged)
    if matters["answers"]:
        is_same = is_same and same_answers(case, saw["steps"], steps)
    if matters["canary"]:
        is_same = is_same and canary.outcome() == saw["canary"]
        slowest = max([0.0, *canary.latencies()])
    if matters["late"]:
        # Every n-th answer may be late: another time it is another request's.
        all_of_them = [one for step in connections_of for one in step] + [canary]
        is_same = any(one.is_late() for one in all_of_them)
    if bystander:
        print(f"  plain webhook beside it: {bystander.outcome()} (failed run: {saw['bystander']})")
        is_same = is_same and bystander.outcome() == saw["bystander"]
    if not saw["canary"].startswith("2"):
        # What breaks the receiver breaks it, whatever else is to be seen.
        is_same = is_same or canary.outcome() == saw["canary"]
    if saw["slowest"]:
        print(f"  slowest answer: {slowest * 1000:.0f} ms (failed run: {saw['slowest'] * 1000:.0f} ms)")
        is_same = is_same and slowest >= saw["slowest"] / 2
    if saw["sent_bytes"]:
        print(f"  bytes sent on one connection: {sent} (failed run: {saw['sent_bytes']})")
        is_same = is_same and sent >= saw["sent_bytes"] / 2
    return is_same


def went_wrong(case):
    """Whether a case goes wrong as before; one that went well is there to be compared to, or to lead up to others."""
    if not case["saw"]["is_wrong"]:
        perform(case)
        return False
    return any(perform(case) for _ in tries())


def tries():
    """A race may be lost, and a reset may overtake an answer: what is over soon is tried again, with other ids."""
    began = time.monotonic()
    yield 1
    for n in range(2, TRIES + 1):
        if time.monotonic() - began > 5:
            return
        if not os.environ.get("EXACT_IDS"):
            NEW[:] = [fresh(old) for old in IDS]
        print(f"try {n}:")
        yield n


def renew_canary():
    for at in CANARY_IDS:
        NEW[at] = fresh(IDS[at])


def is_trusted():
    """Says what to do about a certificate, before every connection fails by it."""
    try:
        with socket.create_connection((URL.hostname, port_of(URL)), 5) as own:
            Tls("usual", URL.hostname).begin(own)
    except ssl.SSLCertVerificationError as error:
        raise Missing(f"{error.verify_message}: set CACERT to a file that proves the certificate, or INSECURE=1")


def main():
    print(TITLE)
    shown = URL._replace(netloc=URL.netloc.rpartition("@")[2], query="").geturl()
    print(f"to {shown}, {'the very ids' if os.environ.get('EXACT_IDS') else 'with fresh ids'}")
    try:
        if CANNOT:
            raise Missing(CANNOT)
        if URL.scheme == "https":
            is_trusted()
        for case in CASES:
            for name, *values in case["steps"]:
                commands = {"command": values[:2], "stop_during": values[0] if values else [], "start": START}
                if name in commands:
                    setting(commands[name][0], "", commands[name][1])
        again = [case["name"] for case in CASES if went_wrong(case)]
    except Missing as missing:
        print(f"CANNOT TELL: {missing}")
        return 2
    except OSError as error:
        print(f"CANNOT TELL: {error}")
        return 3
    print(f"REPRODUCED: {len(again)} of {len(CASES)} cases went wrong as before" if again else "NOT REPRODUCED")
    return 1 if again else 0


if __name__ == "__main__":
    sys.exit(main())
