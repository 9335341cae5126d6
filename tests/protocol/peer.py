"""A peer of servers, written from docs/protocol.md alone, with nothing but Python's own library.

    peer.py vectors <vectors.json> <handshake_vectors.json>
        reads and writes all test vectors, and prints what differs
    peer.py ping <unix path | host:port> <cookies in hex, the newest first> <id of the server>
        connects, asks the server's actor `server`, and prints the answer

Values are written in JSON as in vectors.json. A value that JSON does not have is an object with its
kind in the field `$`.
"""

import hashlib
import hmac
import json
import os
import re
import socket
import struct
import sys

CLASSES = """Uint8Array ArrayBuffer DataView Int8Array Uint8ClampedArray Int16Array Uint16Array
Int32Array Uint32Array BigInt64Array BigUint64Array Float16Array Float32Array Float64Array""".split()
SIZES = [1, 1, 1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8]
MAX_FRAME = 256 * 1024
MAX_MESSAGE = 64 * 1024 * 1024
MAX_DEPTH = 100
SERVER_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


class Refused(Exception):
    """The bytes break the protocol."""


def expand(data):
    """Bytes from hexadecimal digits, or from a list of digits and how often they are repeated."""
    if isinstance(data, str):
        return bytes.fromhex(data)
    return b"".join(bytes.fromhex(part) * times for part, times in data)


# Values


class Decoder:
    """Reads values from bytes."""

    def __init__(self, data, at=0):
        self.data, self.at, self.in_graph = data, at, None

    def take(self, count):
        if self.at + count > len(self.data):
            raise Refused("it ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self):
        return self.take(1)[0]

    def u32(self):
        return struct.unpack("<I", self.take(4))[0]

    def double(self):
        return number(struct.unpack("<d", self.take(8))[0])

    def message(self):
        graph = self.at < len(self.data) and self.data[self.at] == 0xF4
        value = self.graph() if graph else self.value(0)
        if self.at != len(self.data):
            raise Refused("bytes after its end")
        return value

    def text(self):
        if self.at < len(self.data) and not is_text(self.data[self.at]):
            raise Refused("not a text")
        return self.value(0)

    def primitive(self):
        kind = self.data[self.at] if self.at < len(self.data) else 0xE0
        if kind >= 0xC0 and not 0xE2 <= kind <= 0xE9:
            raise Refused("not a primitive")
        return self.value(0)

    def values(self, count, depth):
        if depth >= MAX_DEPTH:
            raise Refused("nested too deeply")
        if count > len(self.data) - self.at:
            raise Refused("it ends too early")
        return [self.value(depth + 1) for _ in range(count)]

    def pairs(self, count, depth, key):
        if depth >= MAX_DEPTH:
            raise Refused("nested too deeply")
        return [[key(), self.value(depth + 1)] for _ in range(count)]

    def value(self, depth):
        kind = self.byte()
        if kind < 0x80:
            return kind
        if kind < 0xC0:
            return self.take(kind - 0x80).decode("latin-1")
        if kind in (0xE0, 0xE2, 0xE3):
            return {0xE0: None, 0xE2: False, 0xE3: True}[kind]
        if kind == 0xE1:
            return {"$": "undefined"}
        if kind == 0xE4:
            return struct.unpack("<i", self.take(4))[0]
        if kind == 0xE5:
            return self.double()
        if 0xE6 <= kind <= 0xE8:
            return self.long_text(kind)
        if kind == 0xE9:
            return self.bigint()
        if kind == 0xF5:
            index = self.u32()
            if self.in_graph is None or index >= self.in_graph:
                raise Refused("a reference to nothing")
            return {"$": "reference", "object": index}
        head = self.head(kind)
        return head if is_leaf(head) else self.contents(head, depth)

    def long_text(self, kind):
        data = self.take(self.u32())
        if kind == 0xE8 and len(data) % 2:
            raise Refused("half a character")
        if kind == 0xE8:
            return utf16(data)
        return data.decode("latin-1" if kind == 0xE6 else "utf-8", "replace")

    def bigint(self):
        length = self.u32()
        if length < 2 or length > 64 * 1024 + 1:
            raise Refused("a BigInt of no or too many bytes")
        sign, magnitude = self.byte(), int.from_bytes(self.take(length - 1), "big")
        return {"$": "bigint", "value": str(-magnitude if sign else magnitude)}

    def head(self, kind):
        """An object without its contents, for which it has a size or flags."""
        if kind < 0xE0:
            return {"$": "record" if kind < 0xD0 else "array", "size": kind & 0x0F}
        if 0xEB <= kind <= 0xEE:
            return {"$": ("array", "record", "map", "set")[kind - 0xEB], "size": self.u32()}
        if kind == 0xEF:
            flags = self.byte()
            return {"$": "error", "flags": flags, "name": self.text()}
        if kind == 0xEA:
            return {"$": "boxed", "value": self.primitive()}
        if kind == 0xF0:
            return {"$": "date", "ms": self.double()}
        if kind == 0xF1:
            return {"$": "regexp", "source": self.text(), "flags": self.text()}
        if kind == 0xF2:
            return self.binary()
        if kind == 0xF3:
            return {"$": "actor", "server": self.server_id(), "actor": self.actor()}
        raise Refused("an unknown kind of value")

    def binary(self):
        index = self.byte()
        if index >= len(CLASSES):
            raise Refused("an unknown kind of binary")
        data = self.take(self.u32())
        if len(data) % SIZES[index]:
            raise Refused("part of an element")
        return {"$": "binary", "class": CLASSES[index], "bytes": data.hex()}

    def server_id(self):
        server = self.text()
        if not SERVER_ID.fullmatch(server):
            raise Refused("not a server id")
        return server

    def actor(self):
        actor = self.primitive()
        if isinstance(actor, bool) or not isinstance(actor, (str, int)) or len(str(actor)) > 128:
            raise Refused("not the name or serial number of an actor")
        return actor

    def contents(self, head, depth):
        kind = head["$"]
        if kind == "array":
            return self.values(head["size"], depth)
        if kind == "record":
            return {"$": kind, "fields": self.pairs(head["size"], depth, self.text)}
        if kind == "map":
            entries = self.pairs(head["size"], depth, lambda: self.value(depth + 1))
            return {"$": kind, "entries": entries}
        if kind == "set":
            return {"$": kind, "members": self.values(head["size"], depth)}
        error = {"$": kind, "name": head["name"], "message": self.text()}
        if head["flags"] & 1:
            error["stack"] = self.text()
        for flag, part in ((2, "cause"), (4, "errors")):
            if head["flags"] & flag:
                [error[part]] = self.values(1, depth)
        return error

    def graph(self):
        self.byte()
        end = self.u32() + self.at
        start, self.at = self.at, end
        heads = [self.head(self.byte()) for _ in range(self.u32())]
        if not heads:
            raise Refused("an empty graph")
        last, self.at, self.in_graph = self.at, start, len(heads)
        objects = [head if is_leaf(head) else self.contents(head, 0) for head in heads]
        if self.at != end:
            raise Refused("a graph of another size")
        self.at = last
        return {"$": "graph", "objects": objects}


def is_text(kind):
    return 0x80 <= kind < 0xC0 or 0xE6 <= kind <= 0xE8


def utf16(data):
    """A text, or its code units if JSON has no such text, since it has lone surrogates."""
    try:
        return data.decode("utf-16-le")
    except UnicodeDecodeError:
        return {"$": "utf16", "units": list(struct.unpack(f"<{len(data) // 2}H", data))}


def is_leaf(head):
    return "size" not in head and head["$"] != "error"


def number(value):
    """A double as JSON has it, if it does."""
    if value != value or value in (float("inf"), float("-inf")) or str(value) == "-0.0":
        names = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity", "-0.0": "-0"}
        return {"$": "number", "value": names[str(value)]}
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def double(value):
    """The bytes of a number."""
    return struct.pack("<d", float(value["value"] if isinstance(value, dict) else value))


def sized(kind, count):
    return bytes([kind]) + struct.pack("<I", count)


def encode_text(text):
    if all(ord(character) < 0x100 for character in text) and len(text) < 64:
        return bytes([0x80 + len(text)]) + text.encode("latin-1")
    data = text.encode("utf-8")
    return sized(0xE6 if text.isascii() else 0xE7, len(data)) + data


def encode_number(value):
    if isinstance(value, int) and 0 <= value < 0x80:
        return bytes([value])
    if isinstance(value, int) and -(2**31) <= value < 2**31:
        return b"\xe4" + struct.pack("<i", value)
    return b"\xe5" + double(value)


def encode(value):
    """The bytes of a value."""
    if value is None or isinstance(value, bool):
        return {None: b"\xe0", False: b"\xe2", True: b"\xe3"}[value]
    if isinstance(value, str):
        return encode_text(value)
    if isinstance(value, (int, float)):
        return encode_number(value)
    kind = "array" if isinstance(value, list) else value["$"]
    if kind == "undefined":
        return b"\xe1"
    if kind == "number":
        return b"\xe5" + double(value)
    if kind == "utf16":
        data = struct.pack(f"<{len(value['units'])}H", *value["units"])
        return sized(0xE8, len(data)) + data
    if kind == "bigint":
        magnitude = abs(int(value["value"]))
        data = magnitude.to_bytes(max(1, (magnitude.bit_length() + 7) // 8), "big")
        return sized(0xE9, 1 + len(data)) + bytes([value["value"].startswith("-")]) + data
    if kind == "reference":
        return sized(0xF5, value["object"])
    if kind == "graph":
        contents = b"".join(map(encode_contents, value["objects"]))
        heads = b"".join(map(encode_head, value["objects"]))
        count = struct.pack("<I", len(value["objects"]))
        return sized(0xF4, len(contents)) + contents + count + heads
    return encode_head(value) + encode_contents(value)


def encode_head(value):
    kind = "array" if isinstance(value, list) else value["$"]
    if kind in ("array", "record"):
        count = len(value if kind == "array" else value["fields"])
        small, large = (0xD0, 0xEB) if kind == "array" else (0xC0, 0xEC)
        return bytes([small + count]) if count < 16 else sized(large, count)
    if kind == "map":
        return sized(0xED, len(value["entries"]))
    if kind == "set":
        return sized(0xEE, len(value["members"]))
    if kind == "error":
        flags = sum(flag for flag, part in ((1, "stack"), (2, "cause"), (4, "errors")) if part in value)
        return bytes([0xEF, flags]) + encode_text(value["name"])
    if kind == "boxed":
        return b"\xea" + encode(value["value"])
    if kind == "date":
        return b"\xf0" + double(value["ms"])
    if kind == "regexp":
        return b"\xf1" + encode_text(value["source"]) + encode_text(value["flags"])
    if kind == "binary":
        data = expand(value["bytes"])
        return bytes([0xF2, CLASSES.index(value["class"])]) + struct.pack("<I", len(data)) + data
    return b"\xf3" + encode_text(value["server"]) + encode(value["actor"])


def encode_contents(value):
    kind = "array" if isinstance(value, list) else value["$"]
    if kind == "error":
        parts = [value[part] for part in ("message", "stack", "cause", "errors") if part in value]
    elif kind in ("record", "map"):
        parts = [part for pair in value["fields" if kind == "record" else "entries"] for part in pair]
    else:
        parts = value if kind == "array" else value.get("members", [])
    return b"".join(map(encode, parts))


# Envelopes and pieces


def encode_envelope(envelope):
    """The body of the frame of an envelope."""
    fields = b"".join(
        struct.pack("<d", envelope[field])
        for field in ("nonce", "timeout", "answers")
        if field in envelope
    )
    flags = sum(
        flag
        for flag, field in (
            (1, "answerExpected"),
            (2, "failure"),
            (4, "timeout"),
            (8, "answers"),
            (16, "trace"),
        )
        if field in envelope
    )
    fields += encode(envelope["receiver"]) + encode(envelope["sender"])
    if "trace" in envelope:
        fields += b"".join(encode_text(envelope["trace"][field]) for field in ("parent", "state"))
    return struct.pack("<HB", 3 + len(fields), flags) + fields + encode(envelope["message"])


def decode_envelope(data):
    """The envelope in the body of a frame."""
    decoder = Decoder(data)
    length, flags = struct.unpack("<HB", decoder.take(3))
    envelope = {"nonce": decoder.double()}
    if flags & 4:
        envelope["timeout"] = decoder.double()
        if envelope["timeout"] == {"$": "number", "value": "NaN"}:
            raise Refused("not a timeout")
    if flags & 8:
        envelope["answers"] = decoder.double()
    for field in ("nonce", "answers"):
        if not isinstance(envelope.get(field, 0), int):
            raise Refused("not a nonce")
    envelope["receiver"], envelope["sender"] = decoder.actor(), decoder.actor()
    if flags & 16:
        trace = envelope["trace"] = {"parent": decoder.text(), "state": decoder.text()}
        if len(trace["parent"]) > 128 or len(trace["state"]) > 512:
            raise Refused("not a trace context")
    if flags & 1:
        envelope["answerExpected"] = True
    if flags & 2:
        envelope["failure"] = True
    if decoder.at > length or length > len(data):
        raise Refused("a header of another length")
    envelope["message"] = Decoder(data[length:]).message()
    return envelope


def join_pieces(frames):
    """The envelope that travels in frames."""
    joined, total = b"", None
    for frame in frames:
        mark = struct.unpack("<H", frame[:2])[0]
        if mark > 1 or (mark == 0) != (total is None):
            raise Refused("a piece of no message, or a large message inside another")
        if mark == 0:
            if len(frame) < 14:
                raise Refused("a piece that ends too early")
            total, offset, length = struct.unpack("<III", frame[2:14])
            if not MAX_FRAME < total <= MAX_MESSAGE or offset + length > total:
                raise Refused("a length that is not allowed")
        part = frame[14 if mark == 0 else 2 :]
        if not part or len(joined) + len(part) > total:
            raise Refused("an empty piece, or more than announced")
        joined += part
    if len(joined) != total:
        raise Refused("pieces are missing")
    return joined


# Handshake: Ed25519 (RFC 8032, 5.1), and the messages

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(one, other):
    x1, y1, x2, y2 = *one, *other
    k = D * x1 * x2 * y1 * y2
    x3 = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P
    return x3, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def times(scalar, point):
    result = (0, 1)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        raise Refused("not a point on the curve")
    return (x if x & 1 == sign else P - x), y


def compress(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


BASE = decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def hash_number(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


class InstanceKey:
    """An Ed25519 key pair."""

    def __init__(self, seed):
        digest = hashlib.sha512(seed).digest()
        self.scalar = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
        self.prefix = digest[32:]
        self.public = compress(times(self.scalar, BASE))

    def sign(self, text):
        nonce = hash_number(self.prefix, text) % ORDER
        point = compress(times(nonce, BASE))
        answer = (nonce + hash_number(point, self.public, text) * self.scalar) % ORDER
        return point + answer.to_bytes(32, "little")


def is_signed(text, public, signature):
    point, answer = signature[:32], int.from_bytes(signature[32:], "little")
    known = times(hash_number(point, public, text) % ORDER, decompress(public))
    return times(answer, BASE) == add(decompress(point), known)


def short(text):
    return bytes([len(text)]) + text.encode("ascii")


def encode_hello(transport, client, wanted, public, nonce, via=None):
    ids = short(client) + short(wanted)
    end = b"" if via is None else short(via)
    return b"\x01GXEN\x02\x02" + bytes([transport]) + ids + public + nonce + end


def decode_challenge(data):
    """The server's version, id and key."""
    if data[0] == 5:
        raise Refused(data[3 : 3 + data[2]].decode("ascii"))
    end = 3 + data[2]
    return data[1], data[3:end].decode("ascii"), data[end : end + 32]


def proof(side, cookies, key, transcript):
    """With a code for each cookie, the newest first."""
    text = f"gxensemble 1 {side}".encode() + b"\0" + transcript
    codes = [hmac.new(cookie, text, hashlib.sha256).digest() for cookie in cookies]
    return b"".join(codes) + key.sign(text)


def check_proof(side, cookies, public, transcript, data):
    """The newest cookie that fits; None if there is none, or the signature is wrong."""
    text = f"gxensemble 1 {side}".encode() + b"\0" + transcript
    given = [data[at : at + 32] for at in range(0, len(data) - 64, 32)]
    if not is_signed(text, public, data[-64:]):
        return None
    for cookie in cookies:
        code = hmac.new(cookie, text, hashlib.sha256).digest()
        if any(hmac.compare_digest(code, one) for one in given):
            return cookie
    return None


class Connection:
    """A stream of frames."""

    def __init__(self, address):
        if address.startswith("/"):
            self.transport, self.stream = 1, socket.socket(socket.AF_UNIX)
            self.stream.connect(address)
        else:
            host, port = address.rsplit(":", 1)
            self.transport, self.stream = 2, socket.create_connection((host, int(port)))

    def send(self, body):
        self.stream.sendall(struct.pack(">I", len(body)) + body)

    def read(self, count):
        data = b""
        while len(data) < count:
            part = self.stream.recv(count - len(data))
            if not part:
                raise Refused("the server closed the connection")
            data += part
        return data

    def receive(self):
        return self.read(struct.unpack(">I", self.read(4))[0])

    def handshake(self, client, wanted, cookies, via=None):
        """Does the handshake; with a supervisor, as a client at the other end of a tunnel does."""
        key = InstanceKey(os.urandom(32))
        transport = self.transport if via is None else 4
        hello = encode_hello(transport, client, wanted, key.public, os.urandom(32), via)
        self.send(hello)
        challenge = self.receive()
        version, server, public = decode_challenge(challenge)
        if version != 2 or server != wanted:
            raise Refused(f"version {version} of server {server}")
        transcript = hello + challenge
        self.send(b"\x03" + proof("client", cookies, key, transcript))
        accepted = self.receive()
        if accepted[0] != 4:
            raise Refused(decode_challenge(accepted))
        if not check_proof("server", cookies, public, transcript, accepted[1:]):
            raise Refused("the server proved nothing")

    def ask(self, receiver, message):
        ask = {"nonce": 2, "timeout": 10_000, "answerExpected": True}
        self.send(encode_envelope({**ask, "receiver": receiver, "sender": "peer", "message": message}))
        while True:
            body = self.receive()
            if body == b"\xc0":
                self.send(b"")
            elif body:
                answer = decode_envelope(body)
                if answer.get("answers") == 2:
                    return answer


def ping(address, cookies, server, client="python_peer", via=None):
    connection = Connection(address)
    connection.handshake(client, server, [bytes.fromhex(one) for one in cookies.split(",")], via)
    for actor in ("server", "nobody"):
        answer = connection.ask(actor, {"$": "record", "fields": [["type", "ping"]]})
        print(json.dumps({"failure": answer.get("failure", False), "message": answer["message"]}))


# Vectors


def refuses(work):
    try:
        work()
        return False
    except Refused:
        return True


def same(one, other):
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def check_vectors(path, handshakes):
    """Checks all vectors. Returns what differs."""
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    with open(handshakes, encoding="utf-8") as file:
        handshake = json.load(file)
    failed, count = [], 0

    def check(what, *conditions):
        nonlocal count
        count += 1
        if not all(conditions):
            failed.append(what)

    for vector in vectors["values"]:
        data = bytes.fromhex(vector["bytes"])
        value = vector["value"]
        check(vector["what"], encode(value) == data, same(Decoder(data).message(), value))
    for vector in vectors["otherForms"]:
        data = bytes.fromhex(vector["bytes"])
        check(vector["what"], same(Decoder(data).message(), vector["value"]))
    for vector in vectors["refusedValues"]:
        check(vector["what"], refuses(lambda: Decoder(expand(vector["bytes"])).message()))
    for vector in vectors["envelopes"]:
        data = bytes.fromhex(vector["bytes"])
        envelope = vector["envelope"]
        written = encode_envelope(envelope) == data or vector.get("otherForm", False)
        check(vector["what"], written, same(decode_envelope(data), envelope))
    for vector in vectors["refusedEnvelopes"]:
        check(vector["what"], refuses(lambda: decode_envelope(bytes.fromhex(vector["bytes"]))))
    for vector in vectors["pieces"]:
        joined = join_pieces([expand(frame) for frame in vector["frames"]])
        check(vector["what"], joined == encode_envelope(vector["envelope"]))
    for vector in vectors["refusedPieces"]:
        frames = [expand(frame) for frame in vector["frames"]]
        check(vector["what"], refuses(lambda: decode_envelope(join_pieces(frames))))
    check_handshakes(handshake, check)
    print(f"{count} vectors, {len(failed)} failed", *failed, sep="\n")
    return failed


def check_handshakes(vectors, check):
    cookie, next_cookie = bytes.fromhex(vectors["cookie"]), bytes.fromhex(vectors["nextCookie"])
    client, server = vectors["client"], vectors["server"]
    keys = [InstanceKey(bytes.fromhex(side["seed"])) for side in (client, server)]
    for side, key in zip((client, server), keys):
        check(f"the key of {side['id']}", key.public.hex() == side["publicKey"])
    for transport, expected in (*vectors["transports"].items(), ("tunnel", vectors["tunnel"])):
        kind = {"unix": 1, "tcp": 2, "tunnel": 4}[transport]
        nonce = bytes.fromhex(client["nonce"])
        name, via = expected.get("client", client["id"]), expected.get("via")
        hello = encode_hello(kind, name, server["id"], keys[0].public, nonce, via)
        challenge = bytes.fromhex(expected["challenge"])
        transcript = hello + challenge
        binding = hashlib.sha256(b"gxensemble 1 binding\0" + transcript).hexdigest()
        check(f"hello over {transport}", hello.hex() == expected["hello"])
        check(
            f"challenge over {transport}",
            decode_challenge(challenge) == (2, server["id"], keys[1].public),
        )
        check(f"binding over {transport}", binding == expected["binding"])
        for side, key, name in (("client", keys[0], "response"), ("server", keys[1], "accepted")):
            data = bytes.fromhex(expected[name])
            check(
                f"{name} over {transport}",
                proof(side, [cookie], key, transcript) == data[1:],
                check_proof(side, [cookie], key.public, transcript, data[1:]) == cookie,
            )
            if "rotation" not in expected:
                continue
            # Then the client proves both cookies, and the server the next one.
            both = [next_cookie, cookie]
            data = bytes.fromhex(expected["rotation"][name])
            proved = both if side == "client" else [next_cookie]
            check(
                f"{name} over {transport} during a rotation",
                proof(side, proved, key, transcript) == data[1:],
                check_proof(side, both, key.public, transcript, data[1:]) == next_cookie,
            )


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "ping":
        ping(*arguments)
    else:
        sys.exit(1 if check_vectors(*arguments) else 0)
