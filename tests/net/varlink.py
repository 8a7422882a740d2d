"""A raw Varlink client and a checker of what it gets, written from the
specification (UAPI.20) and not from our C code: a test that uses it checks
every reply against the .varlink text of the daemon's interface.

    bus = varlink.connect(run_dir / "checkd.sock")
    reply = bus.call("org.trivet.check.ListChecks", name="chk")     # -> dict
    for update in bus.monitor("org.trivet.check.Monitor", heartbeatMs=500):
        ...
    varlink.wait(run_dir / "checkd.sock", "org.trivet.check.ListChecks",
                 lambda r: r["checks"][0]["state"] == "up")
"""
import json
import os
import pathlib
import re
import socket
import time

MODEL = pathlib.Path(__file__).resolve().parents[2] / "ipc" / "model"
PATIENCE = float(os.environ.get("TRIVET_PATIENCE", "1"))  # slow machines, sanitizers: more
TIMEOUT = 10.0 * PATIENCE


class VarlinkError(Exception):
    """The service answered with an error."""

    def __init__(self, error, parameters):
        super().__init__(f"{error} {json.dumps(parameters)}")
        self.error, self.parameters = error, parameters


class Closed(EOFError):
    """The service closed the connection."""


class Violation(AssertionError):
    """What was said is not what the interface declares."""


# ---- the interface definition language ----

TOKEN = re.compile(r"[ \t\r\n]+|#[^\n]*|(?P<token>->|\[\]|\[string\]|[():,?]|[A-Za-z][A-Za-z0-9_.-]*)")
BASIC = {"bool": lambda v: isinstance(v, bool),
         "int": lambda v: isinstance(v, int) and not isinstance(v, bool),
         "float": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
         "string": lambda v: isinstance(v, str),
         "object": lambda v: isinstance(v, dict)}


class Interface:
    """One parsed .varlink text: types, methods and errors by name."""

    def __init__(self, text):
        self.tokens, self.types, self.methods, self.errors = [], {}, {}, {}
        position = 0
        while position < len(text):
            match = TOKEN.match(text, position)
            if not match:
                raise ValueError(f"not a token: {text[position:position + 20]!r}")
            if match["token"]:
                self.tokens.append(match["token"])
            position = match.end()
        self.take("interface")
        self.name = self.take()
        while self.tokens:
            kind, name = self.take(), self.take()
            if kind == "type":
                self.types[name] = self.brackets()
            elif kind == "error":
                self.errors[name] = self.brackets()
            elif kind == "method":
                arguments = self.brackets()
                self.take("->")
                self.methods[name] = (arguments, self.brackets())
            else:
                raise ValueError(f"not a member: {kind}")

    def take(self, wanted=None):
        token = self.tokens.pop(0)
        if wanted is not None and token != wanted:
            raise ValueError(f"{token!r} where {wanted!r} belongs")
        return token

    def brackets(self):
        """(a: int, ...) -> ("struct", {...}); (one, two) -> ("enum", [...])."""
        self.take("(")
        fields, values = {}, []
        while self.tokens[0] != ")":
            name = self.take()
            if self.tokens[0] == ":":
                self.take(":")
                fields[name] = self.type()
            else:
                values.append(name)
            if self.tokens[0] != ")":
                self.take(",")
        self.take(")")
        return ("enum", values) if values else ("struct", fields)

    def type(self):
        if self.tokens[0] == "?":
            self.take()
            return ("maybe", self.type())
        if self.tokens[0] == "[]":
            self.take()
            return ("array", self.type())
        if self.tokens[0] == "[string]":
            self.take()
            return ("map", self.type())
        if self.tokens[0] == "(":
            return self.brackets()
        return ("name", self.take())

    def check(self, kind, value, where):
        """Raise Violation unless 'value' is of this type."""
        tag, detail = kind
        if tag == "maybe":
            if value is not None:
                self.check(detail, value, where)
        elif tag == "array":
            need(isinstance(value, list), where, "an array", value)
            for i, item in enumerate(value):
                self.check(detail, item, f"{where}[{i}]")
        elif tag == "map":
            need(isinstance(value, dict), where, "an object", value)
            for key, item in value.items():
                self.check(detail, item, f"{where}[{key!r}]")
        elif tag == "enum":
            need(isinstance(value, str) and value in detail, where, f"one of {detail}", value)
        elif tag == "struct":
            need(isinstance(value, dict), where, "an object", value)
            for key in value:
                need(key in detail, f"{where}.{key}", "declared", value[key])
            for key, field in detail.items():
                need(key in value or field[0] == "maybe", f"{where}.{key}", "present", value)
                self.check(field, value.get(key), f"{where}.{key}")
        elif detail in BASIC:
            need(BASIC[detail](value), where, detail, value)
        else:
            self.check(self.types[detail], value, where)


def need(true, where, what, value):
    if not true:
        raise Violation(f"{where} is not {what}: {json.dumps(value)[:200]}")


_interfaces = {}


def interface(name):
    """The declared interface of this name, from ipc/model, or None."""
    if name not in _interfaces:
        path = MODEL / f"{name}.varlink"
        _interfaces[name] = Interface(path.read_text()) if path.exists() else None
    return _interfaces[name]


def declare(text):
    """An interface that is not in ipc/model (a test's own)."""
    parsed = Interface(text)
    _interfaces[parsed.name] = parsed
    return parsed


def check_reply(method, reply):
    """Raise Violation unless 'reply' (the whole object) answers 'method' as declared."""
    for key in reply:
        need(key in ("parameters", "error", "continues"), f"reply of {method}: {key}", "allowed",
             reply)
    need(isinstance(reply.get("parameters"), dict), f"reply of {method}", "with parameters", reply)
    if "continues" in reply:
        need(reply["continues"] is True and "error" not in reply, f"reply of {method}",
             "allowed to continue", reply)
    if "error" in reply:
        owner, _, name = reply["error"].rpartition(".")
        iface = interface(owner)
        need(iface is not None and name in iface.errors, f"error of {method}", "declared", reply)
        iface.check(iface.errors[name], reply["parameters"], reply["error"])
        return
    owner, _, name = method.rpartition(".")
    iface = interface(owner)
    need(iface is not None and name in iface.methods, method, "declared", reply)
    iface.check(iface.methods[name][1], reply["parameters"], f"{method} ->")


# ---- the client ----

def unix_connect(path, timeout=TIMEOUT):
    """A connected socket; 'path' may be longer than sun_path allows (unix(7))."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    path = pathlib.Path(path)
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.connect(f"/proc/self/fd/{directory}/{path.name}")
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(directory)
    return sock


class Bus:
    """One connection.  Everything received is checked unless check=False."""

    def __init__(self, path, timeout=TIMEOUT, check=True):
        self.sock, self.buffer, self.check = unix_connect(path, timeout), b"", check

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.sock.close()

    def send_raw(self, data):
        self.sock.sendall(data)

    def send(self, method, parameters=None, **flags):
        message = {"method": method, **flags}
        if parameters is not None:
            message["parameters"] = parameters
        self.send_raw(json.dumps(message).encode() + b"\0")

    def receive_raw(self):
        """The next whole message, without its NUL."""
        while b"\0" not in self.buffer:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed(self.buffer)
            self.buffer += data
        message, _, self.buffer = self.buffer.partition(b"\0")
        return message

    def receive(self, method):
        """The next reply, whole: {"parameters": ..., "error"?, "continues"?}."""
        reply = json.loads(self.receive_raw())
        if self.check:
            check_reply(method, reply)
        return reply

    def call(self, method, given=None, **parameters):
        """Call, return the reply's parameters, or raise VarlinkError."""
        self.send(method, {**(given or {}), **parameters})
        return self.answer(method)

    def answer(self, method):
        reply = self.receive(method)
        need("continues" not in reply, f"reply of {method}", "final", reply)
        if "error" in reply:
            raise VarlinkError(reply["error"], reply["parameters"])
        return reply["parameters"]

    def monitor(self, method, given=None, **parameters):
        """A streaming call: yields each reply's parameters for as long as it goes on."""
        self.send(method, {**(given or {}), **parameters}, more=True)
        while True:
            reply = self.receive(method)
            if "error" in reply:
                raise VarlinkError(reply["error"], reply["parameters"])
            yield reply["parameters"]
            if not reply.get("continues"):
                return


def connect(path, timeout=TIMEOUT, check=True):
    return Bus(path, timeout, check)


def call(path, method, **parameters):
    """One call on a connection of its own."""
    with Bus(path) as bus:
        return bus.call(method, **parameters)


def wait(path, method, condition, timeout=TIMEOUT, every=0.02, **parameters):
    """Call until condition(reply) holds; returns that reply.  The daemon may not be there yet."""
    deadline, last = time.monotonic() + timeout, None
    while time.monotonic() < deadline:
        try:
            last = call(path, method, **parameters)
            if condition(last):
                return last
        except (OSError, Closed) as error:
            last = error
        time.sleep(every)
    raise AssertionError(f"{method} on {path}: not so within {timeout} s; last: {last!r}")
