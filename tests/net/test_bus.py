"""The bus, driven raw: framing, calls, bounds, access, streams, and a view over
its producer's restarts.  busd (busd.c) serves a toy collection through the
same server, publisher, service and view as the daemons; every reply is checked
against the interface text it serves.  ipc.md sections 1 and 3.
"""
import contextlib
import grp
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

import varlink
from lab import BUILD, PATIENCE, wait_for

BUSD = BUILD / "tests/net/busd"
NOBODY = 65534
KIB = 1024

T = "org.trivet.test."
D = "org.trivet.daemon."
PING = D + "Ping"


class Process:
    """A busd, its log, and its end: cleanly, with nothing forgotten."""

    def __init__(self, directory, *argv, **options):
        self.log = directory / f"busd-{argv[0]}.log"
        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1")
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen([BUSD, *map(str, argv)], stderr=log, text=True,
                                          env=environment, **options)

    def signal(self, number):
        self.popen.send_signal(number)

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def stop(self):
        """SIGTERM; the exit is clean (under the sanitizers: no leak either)."""
        self.popen.terminate()
        assert self.popen.wait(10 * PATIENCE) == 0, self.log.read_text()

    def logged(self, text):
        return text in self.log.read_text()


class Toyd(Process):
    """busd serve: the daemon "toyd"."""

    def __init__(self, directory, *argv, wait=True):
        self.directory, self.socket = directory, directory / "toyd.sock"
        super().__init__(directory, "serve", directory, *argv)
        if wait:
            varlink.wait(self.socket, "org.varlink.service.GetInfo",
                         lambda info: info["product"] == "toyd")
            if varlink.interface("org.trivet.test") is None:
                for name in ("org.trivet.test", "org.trivet.test.control"):
                    varlink.declare(self.call("org.varlink.service.GetInterfaceDescription",
                                              interface=name)["description"])

    def connect(self, **options):
        return varlink.connect(self.socket, **options)

    def call(self, method, **parameters):
        return varlink.call(self.socket, method, **parameters)

    def metric(self, name):
        metrics = self.call(D + "ListMetrics", prefix="toyd_" + name)["metrics"]
        return sum(m["value"] for m in metrics)


@pytest.fixture
def directory():
    """Reachable for every user, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="trivet-bus-", dir="/tmp"))
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def toyd(directory):
    one = Toyd(directory)
    yield one
    if one.popen.poll() is None:
        one.stop()
    assert "Sanitizer" not in one.log.read_text()


@contextlib.contextmanager
def as_user(uid, group="_trivet", also=()):
    """What connect(2) tells the other side: effective ids, supplementary groups."""
    groups, gid = os.getgroups(), grp.getgrnam(group).gr_gid
    os.setgroups([grp.getgrnam(name).gr_gid for name in also])
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def message(method, **parts):
    return json.dumps({"method": method, **parts}).encode()


def is_closed(bus):
    """The server closed it, having said nothing."""
    try:
        bus.receive_raw()
    except varlink.Closed as closed:
        return closed.args[0] == b""
    return False


# ---- framing ----

def test_a_call_in_pieces(toyd):
    with toyd.connect() as bus:
        for byte in message(PING, parameters={"token": "x"}) + b"\0":
            bus.send_raw(bytes([byte]))
        assert bus.answer(PING)["token"] == "x"


def test_many_calls_in_one_write_are_answered_in_order(toyd):
    calls = [message(PING, parameters={"token": str(i)}) for i in range(200)]
    calls[7] = message("no.such.Method")
    with toyd.connect() as bus:
        bus.send_raw(b"\0".join(calls) + b"\0")
        for i in range(200):
            if i == 7:
                assert bus.receive(PING)["error"] == "org.varlink.service.InterfaceNotFound"
            else:
                assert bus.answer(PING)["token"] == str(i)


def test_pipelined_calls_wait_for_the_one_before(toyd):
    with toyd.connect() as bus:
        bus.send_raw(message(T + "Later", parameters={"ms": 200}) + b"\0"
                     + message(PING) + b"\0" + message(T + "Later", parameters={"ms": 1}) + b"\0")
        assert bus.answer(T + "Later") == {"ms": 200}
        bus.answer(PING)
        assert bus.answer(T + "Later") == {"ms": 1}


def test_more_pipelined_than_we_hold_waits_in_the_callers_socket(toyd):
    """A call in flight, then 400 KiB of calls: none is lost, none is held by us."""
    many = 4 * KIB
    with toyd.connect() as bus:
        bus.send(T + "Later", {"ms": 200})
        data = b"".join(message(PING, parameters={"token": f"{i:050}"}) + b"\0"
                        for i in range(many))
        writer = threading.Thread(target=bus.send_raw, args=(data,))
        writer.start()
        bus.answer(T + "Later")
        for i in range(many):
            assert bus.answer(PING)["token"] == f"{i:050}"
        writer.join()


@pytest.mark.parametrize("what, data", [
    ("space around the object", b" \r\n\t" + message(PING) + b" \n\0"),
    ("a line break after the last NUL (echo -e)", message(PING) + b"\0\n"),
])
def test_space_is_accepted(toyd, what, data):
    with toyd.connect() as bus:
        bus.send_raw(data)
        bus.answer(PING)
        bus.sock.shutdown(socket.SHUT_WR)
        assert is_closed(bus), what
    assert toyd.metric("ipc_malformed_total") == 0


def test_at_the_end_a_complete_object_counts_without_its_nul(toyd):
    """`echo '{...}' | socat`: no NUL was ever sent."""
    with toyd.connect() as bus:
        bus.send_raw(message(PING) + b"\n")
        bus.sock.shutdown(socket.SHUT_WR)
        bus.answer(PING)
        assert is_closed(bus)


def test_a_truncated_object_at_the_end_is_nothing(toyd):
    with toyd.connect() as bus:
        bus.send_raw(message(PING)[:-1])
        bus.sock.shutdown(socket.SHUT_WR)
        assert is_closed(bus)


DEEP = b'{"method":"%s","parameters":{"token":%s}}' % (
    PING.encode(), b"[" * 40 + b"]" * 40)


@pytest.mark.parametrize("what, data", [
    ("garbage", b"\xff\xfe\x00"),
    ("HTTP", b"GET / HTTP/1.1\r\n\r\n\0"),
    ("an empty message", b"\0"),
    ("two NULs", message(PING) + b"\0\0"),
    ("an array", b"[]\0"),
    ("no method", b"{}\0"),
    ("an unknown key", message(PING, id=1) + b"\0"),
    ("a flag that is no boolean", message(PING, more=1) + b"\0"),
    ("two flags", message(PING, more=True, oneway=True) + b"\0"),
    ("a key twice", b'{"method":"a.B","method":"a.B"}\0'),
    ("nested too deeply", DEEP + b"\0"),
    ("brackets without end", b"[" * 60 * KIB + b"\0"),
    ("parameters that are no object", message(PING, parameters=[1]) + b"\0"),
    ("too long, no NUL in sight", b" " * (65 * KIB)),
    ("too long by one byte", message(PING).ljust(64 * KIB + 1) + b"\0"),
    ("not UTF-8", b'{"method":"\xff"}\0'),
])
def test_what_no_reply_is_defined_for_closes(toyd, what, data):
    before = toyd.metric("ipc_malformed_total")
    with toyd.connect() as bus:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            bus.send_raw(data)
        if what == "two NULs":
            bus.answer(PING)
        assert is_closed(bus), what
    assert toyd.metric("ipc_malformed_total") == before + 1


def test_the_longest_call(toyd):
    with toyd.connect() as bus:
        bus.send_raw(message(PING).ljust(64 * KIB) + b"\0")
        bus.answer(PING)
        bus.send_raw(message(PING) + b"\0")
        bus.answer(PING)


def test_out_of_band_data_closes(toyd):
    """It would wake the loop for ever."""
    with toyd.connect() as bus:
        bus.send(T + "Later", {"ms": 60000})
        bus.sock.send(b"!", socket.MSG_OOB)
        assert is_closed(bus)
    wait_for(lambda: toyd.logged("gone after waiting"), "the call was ended")


# ---- flags ----

def test_oneway_gets_no_reply_at_all(toyd):
    with toyd.connect() as bus:
        bus.send(T + "Put", {"name": "a", "value": 1}, oneway=True)
        bus.send("no.such.Method", oneway=True)
        bus.send(T + "Put", {"name": 7}, oneway=True)
        bus.send(T + "Later", {"ms": 50}, oneway=True)
        toys = bus.call(T + "List")["toys"]
        assert [toy["name"] for toy in toys] == ["a"]


def test_oneway_then_close_is_done(toyd):
    with toyd.connect() as bus:
        for i in range(20):
            bus.send(T + "Put", {"name": "a", "value": i}, oneway=True)
    varlink.wait(toyd.socket, T + "List", lambda r: r["toys"] and r["toys"][0]["value"] == 19)


def test_more_on_a_plain_method_is_a_plain_call(toyd):
    with toyd.connect() as bus:
        bus.send(PING, {}, more=True)
        bus.answer(PING)
        bus.call(PING)


def test_a_streaming_method_counts(toyd):
    with toyd.connect() as bus:
        assert [r["n"] for r in bus.monitor(T + "Count", to=5)] == [1, 2, 3, 4, 5]
        bus.call(PING)


def errors():
    yield "interface", "no.such.Method", {}, {}, "InterfaceNotFound", {"interface": "no.such"}
    yield "no dot", "Ping", {}, {}, "MethodNotFound", {"method": "Ping"}
    yield "empty", "", {}, {}, "MethodNotFound", {"method": ""}
    yield ("an interface of another daemon", "org.trivet.vrrp.ListInstances", {}, {},
           "InterfaceNotFound", {"interface": "org.trivet.vrrp"})
    yield "method", D + "Nope", {}, {}, "MethodNotFound", {"method": D + "Nope"}
    yield ("case", D + "ping", {}, {}, "MethodNotFound", {"method": D + "ping"})
    yield ("not served", T + "Unserved", {}, {}, "MethodNotImplemented",
           {"method": T + "Unserved"})
    yield "upgrade", PING, {}, {"upgrade": True}, "MethodNotImplemented", {"method": PING}
    yield "more required", T + "Count", {"to": 1}, {}, "ExpectedMore", {}
    yield "undeclared", PING, {"tokens": "x"}, {}, "InvalidParameter", {"parameter": "tokens"}
    yield "ill-typed", PING, {"token": 7}, {}, "InvalidParameter", {"parameter": "token"}
    yield "missing", T + "Put", {"name": "a"}, {}, "InvalidParameter", {"parameter": "value"}
    yield "null", T + "Put", {"name": "a", "value": None}, {}, "InvalidParameter", {
        "parameter": "value"}
    yield ("fraction", T + "Later", {"ms": 1.0}, {}, "InvalidParameter", {"parameter": "ms"})
    yield ("in an array", T + "Monitor", {"names": ["a", 1]}, {}, "InvalidParameter",
           {"parameter": "names"})
    yield ("description of nothing", "org.varlink.service.GetInterfaceDescription",
           {"interface": "no.such"}, {}, "InterfaceNotFound", {"interface": "no.such"})


@pytest.mark.parametrize("what, method, parameters, flags, error, detail", errors())
def test_errors(toyd, what, method, parameters, flags, error, detail):
    with toyd.connect() as bus:
        bus.send(method, parameters, **flags)
        reply = bus.receive(method)
        assert reply == {"error": "org.varlink.service." + error, "parameters": detail}, what
        bus.call(PING)  # the connection lives on


MIXED = {"b": True, "i": -2**63, "f": 1.5, "s": "\u00e4\U0001f600", "o": {"x": [None]}, "e": "two",
         "list": [1, 2], "map": {"k": 1}, "set": {"k": {}}, "inner": {"deep": ["x"]}, "maybe": None}


def test_every_type_comes_back(toyd):
    assert toyd.call(T + "Echo", mixed=MIXED) == {"mixed": MIXED}


@pytest.mark.parametrize("field, value", [
    ("b", 1), ("i", 1.5), ("i", "1"), ("f", "1"), ("s", 1), ("o", []), ("e", "three"),
    ("list", {}), ("list", ["x"]), ("map", {"k": "v"}), ("set", {"k": 1}), ("inner", {"deep": [1]}),
    ("inner", {"more": 1}), ("maybe", "x"), ("zzz", 1)])
def test_an_ill_typed_field_is_refused(toyd, field, value):
    with pytest.raises(varlink.VarlinkError) as refused:
        toyd.call(T + "Echo", mixed={**MIXED, field: value})
    assert refused.value.error == "org.varlink.service.InvalidParameter"
    assert refused.value.parameters == {"parameter": "mixed"}


# ---- what every daemon says of itself ----

def test_introspection(toyd):
    info = toyd.call("org.varlink.service.GetInfo")
    assert info["product"] == "toyd" and info["vendor"] and info["version"]
    assert set(info["interfaces"]) == {
        "org.varlink.service", "org.trivet.daemon", "org.trivet.daemon.control",
        "org.trivet.test", "org.trivet.test.control"}
    for name in info["interfaces"]:
        text = toyd.call("org.varlink.service.GetInterfaceDescription", interface=name)
        text = text["description"]
        assert text.startswith("#") or text.startswith("interface")
        assert varlink.Interface(text).name == name
        if (varlink.MODEL / f"{name}.varlink").exists():
            assert text == (varlink.MODEL / f"{name}.varlink").read_text()


@pytest.mark.parametrize("path", sorted(varlink.MODEL.glob("*.varlink")), ids=lambda p: p.stem)
def test_model_is_readable_by_every_parser_in_the_field(path):
    """ipc.md 1.7: each limit was seen in a real parser."""
    text = path.read_text()
    parsed = varlink.Interface(text)
    assert parsed.name == path.stem == parsed.name.lower() and "-" not in parsed.name
    declared = re.sub(r"#.*", "", text)
    assert not re.search(r":[^,()]*\bany\b", declared)
    assert not re.search(r"\(\s*[A-Za-z0-9]+\s*\)", declared), "enum of one value"


def test_status(toyd):
    status = toyd.call(D + "GetStatus")
    assert (status["daemon"], status["pid"], status["health"]) == ("toyd", toyd.popen.pid, "ok")
    with toyd.connect() as bus:
        stream = bus.monitor(T + "Monitor")
        next(stream)
        assert toyd.call(D + "GetStatus")["subscribers"] == 1
    varlink.wait(toyd.socket, D + "GetStatus", lambda s: s["subscribers"] == 0)


def test_ping(toyd):
    first, second = toyd.call(PING, token="t"), toyd.call(PING)
    assert first["token"] == "t" and second["token"] is None
    assert first["epoch"] == second["epoch"] and first["nowUsec"] < second["nowUsec"]


def test_metrics_as_objects(toyd):
    metrics = toyd.call(D + "ListMetrics")["metrics"]
    by_name = {m["name"]: m for m in metrics}
    for name in ("up", "build_info", "start_time_seconds", "config_last_reload_successful",
                 "config_last_reload_success_timestamp_seconds", "ipc_subscribers",
                 "ipc_slow_subscribers_total", "ipc_connections", "toys"):
        kind = "counter" if name.endswith("_total") else "gauge"
        assert by_name["toyd_" + name]["kind"] == kind
    assert by_name["toyd_up"]["value"] == 1
    assert abs(by_name["toyd_start_time_seconds"]["value"] - time.time()) < 600
    peers = [(m["labels"]["state"], m["value"]) for m in metrics
             if m["name"] == "toyd_ipc_peer_state" and m["labels"]["peer"] == "checkd"]
    assert sorted(peers) == [("down", 1), ("live", 0), ("stale", 0)]
    assert {m["name"] for m in toyd.call(D + "ListMetrics", prefix="toyd_toys")["metrics"]} == {
        "toyd_toys"}


LINE = re.compile(r'# (HELP|TYPE) \w+ .*|[a-zA-Z_]\w*(\{(\w+="([^"\\\n]|\\.)*",?)+\})? [-+.e\d]+')


@pytest.mark.parametrize("format, content", [(None, "text/plain; version=0.0.4"),
                                             ("prometheus", "text/plain; version=0.0.4"),
                                             ("openmetrics", "application/openmetrics-text")])
def test_metrics_as_text(toyd, format, content):
    reply = toyd.call(D + "FormatMetrics", format=format)
    assert reply["contentType"].startswith(content)
    lines = reply["text"].splitlines()
    if format == "openmetrics":
        assert lines.pop() == "# EOF"
        assert "# TYPE toyd_pokes counter" in lines
    else:
        assert "# TYPE toyd_pokes_total counter" in lines
    for line in lines:
        assert LINE.fullmatch(line), line
    types = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(types) == len(set(types)), "each family once"
    first = lines.index("toyd_toys 0")
    assert lines[first + 1] == r'toyd_toys{label="a \"quoted\" \\ line\nbreak"} 0.5'


def test_an_unknown_format(toyd):
    with pytest.raises(varlink.VarlinkError, match="UnknownFormat.*xml"):
        toyd.call(D + "FormatMetrics", format="xml")


def test_events(toyd):
    for i in range(3):
        toyd.call(T + "Emit", message=f"event {i}")
    reply = toyd.call(D + "Events")
    assert [e["message"] for e in reply["events"]] == ["event 0", "event 1", "event 2"]
    assert reply["lost"] == 0 and reply["events"][0]["fields"] == {"key": "value"}
    assert reply["events"][0]["severity"] == "info" and reply["events"][0]["subject"] == "toy"
    last = reply["events"][-1]["sequence"]
    with toyd.connect() as bus:
        stream = bus.monitor(D + "Events", after=last - 1, heartbeatMs=100)
        first = next(stream)
        assert (first["kind"], len(first["events"])) == ("snapshot", 1)
        assert next(stream)["kind"] == "heartbeat"
        toyd.call(T + "Emit", message="now")
        update = next(m for m in stream if m["kind"] == "update")
        assert [e["message"] for e in update["events"]] == ["now"]


def test_events_that_fell_out_are_counted(toyd):
    with toyd.connect() as bus:
        for i in range(600):
            bus.send(T + "Emit", {"message": "x"}, oneway=True)
        bus.call(PING)
    reply = toyd.call(D + "Events", after=0)
    assert len(reply["events"]) + reply["lost"] == 600 and len(reply["events"]) == 512


# ---- streams ----

def test_without_more_one_snapshot(toyd):
    toyd.call(T + "Put", name="a", value=1)
    reply = toyd.call(T + "Monitor")
    assert reply["kind"] == "snapshot" and reply["complete"] is True
    assert reply["sequence"] == 1 and [t["name"] for t in reply["toys"]] == ["a"]


def test_snapshot_then_whole_objects(toyd):
    epoch = toyd.call(PING)["epoch"]
    toyd.call(T + "Put", name="a", value=1)
    with toyd.connect() as bus:
        stream = bus.monitor(T + "Monitor")
        first = next(stream)
        assert first["epoch"] == epoch and first["complete"] and first["sequence"] == 1
        done = toyd.call(T + "Put", name="b", value=7)["sequence"]
        update = next(stream)
        assert update["kind"] == "update" and update["sequence"] == done == 2
        assert update["toys"] == [{"name": "b", "value": 7, "text": "", "note": None}]
        assert "complete" not in update and "removed" not in update
        toyd.call(T + "Remove", name="a")
        update = next(stream)
        assert update["removed"] == ["toy/a"] and "toys" not in update
        assert toyd.call(T + "List")["sequence"] == update["sequence"] == 3


def test_an_empty_snapshot_says_so(toyd):
    with toyd.connect() as bus:
        first = next(bus.monitor(T + "Monitor"))
        assert first["complete"] is True and first["toys"] == []


def test_the_filter(toyd):
    for name in ("a", "a/ipv4", "ab", "b"):
        toyd.call(T + "Put", name=name, value=1)
    with toyd.connect() as bus:
        stream = bus.monitor(T + "Monitor", names=["a"], heartbeatMs=100)
        assert [t["name"] for t in next(stream)["toys"]] == ["a", "a/ipv4"]
        done = toyd.call(T + "Put", name="b", value=2)["sequence"]
        beat = next(m for m in stream if m["sequence"] == done)
        assert beat["kind"] == "heartbeat"
        toyd.call(T + "Put", name="a", value=2)
        update = next(m for m in stream if m["kind"] == "update")
        assert [t["name"] for t in update["toys"]] == ["a"]


def test_an_unknown_name(toyd):
    with pytest.raises(varlink.VarlinkError, match="NoSuchToy"):
        toyd.call(T + "List", name="nobody")


@pytest.mark.parametrize("asked, at_least", [(1, 0.08), (100, 0.08), (300, 0.28)])
def test_heartbeats_are_bounded(toyd, asked, at_least):
    with toyd.connect() as bus:
        stream = bus.monitor(T + "Monitor", heartbeatMs=asked)
        next(stream)
        beats = []
        for _ in range(5):
            assert next(stream)["kind"] == "heartbeat"
            beats.append(time.monotonic())
        # One that is read late shortens the gap behind it.
        assert at_least < max(b - a for a, b in zip(beats, beats[1:]))


def test_no_heartbeat_unasked(toyd):
    with toyd.connect(timeout=0.5) as bus:
        stream = bus.monitor(T + "Monitor")
        next(stream)
        with pytest.raises(TimeoutError):
            next(stream)


@pytest.mark.parametrize("count, size, at_least", [(300, 4000, 5), (9000, 0, 2)])
def test_a_large_snapshot_comes_in_parts(toyd, count, size, at_least):
    toyd.call(T + "Fill", count=count, size=size)
    with toyd.connect() as bus:
        bus.send(T + "Monitor", more=True)
        names, parts = [], 0
        while True:
            raw = bus.receive_raw()
            assert len(raw) <= 256 * KIB
            reply = json.loads(raw)
            varlink.check_reply(T + "Monitor", reply)
            part = reply["parameters"]
            parts += 1
            names += [toy["name"] for toy in part["toys"]]
            if part["complete"]:
                break
            assert part["sequence"] == 0, "promises nothing yet"
        assert names == [f"fill{i:04}" for i in range(count)] and parts >= at_least
        assert part["sequence"] == count


def test_changes_during_a_snapshot_are_in_it(toyd):
    """What changes while parts are still to come is sent again before `complete`."""
    toyd.call(T + "Fill", count=800, size=4000)
    with toyd.connect() as bus:
        bus.send(T + "Monitor", more=True)
        first = bus.receive(T + "Monitor")["parameters"]
        assert first["complete"] is False
        sequence = toyd.call(T + "Put", name="fill0000", value=99)["sequence"]
        toyd.call(T + "Remove", name="fill0001")
        view = {}
        part = first
        while True:
            view.update({t["name"]: t["value"] for t in part["toys"]})
            for key in part.get("removed") or []:
                view.pop(key.removeprefix("toy/"), None)
            if part["complete"]:
                break
            part = bus.receive(T + "Monitor")["parameters"]
        assert part["sequence"] >= sequence + 1
        assert view["fill0000"] == 99 and "fill0001" not in view and len(view) == 799


def test_a_reply_that_would_be_too_large(toyd):
    toyd.call(T + "Fill", count=1000, size=10000)
    for method in ("List", "Monitor"):
        with pytest.raises(varlink.VarlinkError, match="ReplyTooLarge"):
            toyd.call(T + method)
    assert len(toyd.call(T + "List", name="fill0007")["toys"]) == 1


def test_an_object_that_fits_in_no_message_ends_the_stream(toyd):
    toyd.call(T + "Fill", count=1, size=9000000)
    with toyd.connect() as bus:
        bus.send(T + "Monitor", {}, more=True)
        assert bus.receive(T + "Monitor") == {"error": D + "ReplyTooLarge",
                                              "parameters": {"limit": 8 * KIB * KIB}}
        assert is_closed(bus), "an error is final"


def test_a_half_closed_subscriber_stays(toyd):
    """socat and nc close their side as soon as their input ends."""
    with toyd.connect() as bus:
        bus.send(T + "Monitor", {"heartbeatMs": 100}, more=True)
        bus.sock.shutdown(socket.SHUT_WR)
        bus.receive(T + "Monitor")
        assert bus.receive(T + "Monitor")["parameters"]["kind"] == "heartbeat"
        toyd.call(T + "Put", name="a", value=1)
        while bus.receive(T + "Monitor")["parameters"]["kind"] != "update":
            pass
        assert toyd.call(D + "GetStatus")["subscribers"] == 1
    varlink.wait(toyd.socket, D + "GetStatus", lambda s: s["subscribers"] == 0, timeout=2)


def test_a_half_closed_caller_gets_its_answers(toyd):
    with toyd.connect() as bus:
        bus.send(T + "Later", {"ms": 200})
        bus.send(PING)
        bus.sock.shutdown(socket.SHUT_WR)
        bus.answer(T + "Later")
        bus.answer(PING)
        assert is_closed(bus)


def test_a_caller_that_leaves_before_the_answer(toyd):
    for ms in (60000, 61):  # one handler asked to be told, one did not
        with toyd.connect() as bus:
            bus.send(T + "Later", {"ms": ms})
    wait_for(lambda: toyd.logged("gone after waiting for 60000"), "the handler was told")
    toyd.call(T + "Later", ms=100)  # the other one has answered into the void
    assert toyd.metric("ipc_connections") == 1


def test_half_closed_streams_cost_no_cpu(toyd):
    with toyd.connect() as bus:
        bus.send(T + "Monitor", more=True)
        bus.receive(T + "Monitor")
        bus.sock.shutdown(socket.SHUT_WR)
        ticks = cpu_ticks(toyd.popen.pid)
        time.sleep(0.5)
        assert cpu_ticks(toyd.popen.pid) - ticks <= 5


def cpu_ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


# ---- slow readers and slow writers ----

def test_a_slow_reader_skips_middle_states(toyd):
    """Its dirty set is bounded by the number of objects, whatever happens meanwhile."""
    toyd.call(T + "Fill", count=20, size=4000)
    with toyd.connect() as slow:
        slow.send(T + "Monitor", more=True)
        slow.receive(T + "Monitor")
        for _ in range(60):
            toyd.call(T + "Fill", count=20, size=4000)  # 80 KB of change each time
        last = toyd.call(T + "Put", name="last", value=1)["sequence"]
        messages = 0
        while True:
            update = slow.receive(T + "Monitor")["parameters"]
            messages += 1
            if update["sequence"] == last:
                break
        assert messages < 30
        assert toyd.metric("ipc_slow_subscribers_total") == 0


def test_patience_ends(toyd):
    """Half a request for 10 s, a reader that takes nothing for 30 s: closed and counted,
    while one that merely says nothing stays."""
    toyd.call(T + "Fill", count=300, size=4000)
    start = time.monotonic()
    with toyd.connect(timeout=60) as half, toyd.connect(timeout=60) as slow, \
            toyd.connect(timeout=60) as silent:
        half.send_raw(message(PING)[:10])
        slow.send(T + "Monitor", more=True)
        assert is_closed(half)
        assert 9.5 < time.monotonic() - start < 15 * PATIENCE
        wait_for(lambda: toyd.metric("ipc_slow_subscribers_total") == 1, "the slow one is closed",
                 timeout=40, step=0.2)
        assert 29.5 < time.monotonic() - start
        silent.call(PING)
    assert toyd.metric("ipc_malformed_total") == 1


def test_a_request_that_trickles_is_not_given_more_time(toyd):
    with toyd.connect(timeout=60) as bus:
        start = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() - start < 30:
                bus.send_raw(b" ")
                select.select([bus.sock], [], [], 0.2)
        assert time.monotonic() - start < 15 * PATIENCE


def test_slow_writers_do_not_hold_the_others_up(toyd):
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            bus = stack.enter_context(toyd.connect())
            bus.send_raw(b'{"method":')
        toyd.call(PING)


# ---- who may ----

def test_the_socket(toyd):
    st = os.stat(toyd.directory / "toyd/bus")
    assert oct(st.st_mode & 0o7777) == "0o664"
    assert st.st_gid == grp.getgrnam("_trivet").gr_gid


def control_methods():
    texts = [p.read_text() for p in sorted(varlink.MODEL.glob("*.control.varlink"))]
    for interface in map(varlink.Interface, texts):
        for name in interface.methods:
            yield f"{interface.name}.{name}"
    yield T + "control.Poke"


@pytest.mark.parametrize("method", control_methods())
def test_control_is_denied_by_default(toyd, method):
    if method.rpartition(".")[0] not in toyd.call("org.varlink.service.GetInfo")["interfaces"]:
        pytest.skip("toyd does not serve it")
    with as_user(NOBODY):
        bus = toyd.connect()
    with bus:
        bus.call(PING)  # reading is free
        with pytest.raises(varlink.VarlinkError) as denied:
            bus.call(method)
        assert denied.value.error == "org.varlink.service.PermissionDenied"
        bus.send(method, {}, oneway=True)
        bus.call(PING)
    assert toyd.logged(f"{method} denied to uid {NOBODY} pid {os.getpid()}")
    assert toyd.metric("pokes_total") == 0


@pytest.mark.parametrize("group, also, may", [
    ("_trivet", ["games"], True),
    ("games", ["_trivet"], True),
    ("_trivet", ["tape", "games", "audio"], True),
    ("_trivet", ["tape"], False),
    ("_trivet", [], False),
])
def test_the_administrators_group(directory, group, also, may):
    toyd = Toyd(directory, "games")
    with as_user(NOBODY, group, also):
        bus = toyd.connect()
    with bus:
        if may:
            assert bus.call(T + "control.Poke") == {"pokes": 1}
        else:
            with pytest.raises(varlink.VarlinkError, match="PermissionDenied"):
                bus.call(T + "control.Poke")
    toyd.stop()


def test_an_administrator_in_very_many_groups(directory):
    """SO_PEERGROUPS answers ERANGE first."""
    toyd = Toyd(directory, "games")
    groups = os.getgroups()
    os.setgroups([*range(30000, 31000), grp.getgrnam("games").gr_gid])
    os.setegid(grp.getgrnam("_trivet").gr_gid)
    os.seteuid(NOBODY)
    try:
        bus = toyd.connect()
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
    with bus:
        assert bus.call(T + "control.Poke") == {"pokes": 1}
    toyd.stop()


def test_control_calls_are_logged(toyd):
    assert toyd.call(T + "control.Poke") == {"pokes": 1}
    assert toyd.logged(f"{T}control.Poke by uid 0 pid {os.getpid()}: done")
    with pytest.raises(varlink.VarlinkError, match="Failed"):
        toyd.call(T + "control.Poke", fail=True)
    assert toyd.logged(f"Poke by uid 0 pid {os.getpid()}: {T}control.Failed")


def test_the_log_level(toyd):
    method = D + "control.SetLogLevel"
    assert toyd.call(method, level="warning") == {"previous": "debug"}
    assert toyd.call(method) == {"previous": "warning"}
    assert toyd.call(method) == {"previous": "info"}
    for wrong in ("loud", "emerg", ""):
        with pytest.raises(varlink.VarlinkError, match="InvalidParameter.*level"):
            toyd.call(method, level=wrong)


def test_connections_of_one_user(toyd):
    with contextlib.ExitStack() as stack:
        with as_user(NOBODY):
            buses = [stack.enter_context(toyd.connect()) for _ in range(17)]
        for bus in buses[:16]:
            bus.call(PING)
        assert is_closed(buses[16])
        toyd.call(PING)
        assert toyd.metric("ipc_refused_total") == 1
        buses[0].close()
        wait_for(lambda: toyd.metric("ipc_connections") == 16, "one has gone")
        with as_user(NOBODY), toyd.connect() as bus:
            bus.call(PING)


def test_slots_are_kept_for_root(toyd):
    with contextlib.ExitStack() as stack:
        for uid in range(20000, 20008):
            with as_user(uid):
                for _ in range(15):
                    stack.enter_context(toyd.connect()).call(PING)
        with as_user(20009):
            stranger = stack.enter_context(toyd.connect())
        assert is_closed(stranger)
        for _ in range(8):
            stack.enter_context(toyd.connect()).call(PING)
        assert is_closed(stack.enter_context(toyd.connect()))
    wait_for(lambda: still_answers(toyd), "room again")
    assert toyd.metric("ipc_refused_total") >= 2


def still_answers(toyd):
    try:
        return toyd.call(PING)
    except varlink.Closed:
        return None


def test_without_the_group_nobody_connects(toyd):
    with as_user(NOBODY, group="nogroup"), pytest.raises(PermissionError):
        toyd.connect()


# ---- starting, stopping, one at a time ----

def test_a_second_one_does_not_start(toyd, directory):
    second = Toyd(directory, wait=False)
    assert second.popen.wait(5 * PATIENCE) == 1
    assert second.logged("a running toyd serves it already")
    toyd.call(PING)


def test_a_foreign_server_on_the_socket_is_respected(directory):
    """Somebody who does not know of the lock."""
    (directory / "toyd").mkdir()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(directory / "toyd/bus"))
        other.listen()
        second = Toyd(directory, wait=False)
        assert second.popen.wait(5 * PATIENCE) == 1
        assert second.logged("serves it already")


def test_what_a_dead_one_left_is_replaced(toyd, directory):
    toyd.kill()
    assert (directory / "toyd/bus").exists()
    successor = Toyd(directory)
    successor.call(PING)
    successor.stop()
    assert not (directory / "toyd/bus").exists()


def test_a_stopped_one_leaves_anothers_socket_alone(toyd, directory):
    path = directory / "toyd/bus"
    path.unlink()
    path.write_text("not its own")
    toyd.stop()
    assert path.exists()


def test_a_path_longer_than_an_address(directory):
    deep = directory / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    toyd = Toyd(deep)
    toyd.call(PING)
    assert call(deep, PING, {}).startswith("final ")
    toyd.stop()


# ---- the blocking call ----

def call(directory, method, parameters, timeout=5000, count=0, check=True):
    done = subprocess.run([BUSD, "call", directory, "toyd", method, json.dumps(parameters),
                           str(timeout), str(count)], capture_output=True, text=True, timeout=30)
    assert "Sanitizer" not in done.stderr, done.stderr
    assert not check or done.returncode == 0, done.stdout
    return done.stdout


def test_call(toyd, directory):
    assert call(directory, T + "Put", {"name": "a", "value": 1}) == 'final {"sequence":1}\n'
    assert call(directory, "no.such.Method", {}).startswith(
        "org.varlink.service.InterfaceNotFound ")
    assert call(directory, T + "Later", {"ms": 60000}, timeout=100, check=False) == (
        "errno Connection timed out\n")
    assert call(directory, T + "Count", {"to": 3}, count=3) == (
        'more {"n":1}\nmore {"n":2}\nfinal {"n":3}\n')
    assert call(directory, T + "Fill", {"count": 700, "size": 10000}).startswith("final")
    assert len(call(directory, T + "List", {})) > 7000000
    assert call(directory, PING, {"token": "x" * 70000}, check=False) == (
        "errno Message too long\n")


def test_call_without_a_daemon(toyd, directory):
    toyd.kill()
    assert call(directory, PING, {}, check=False) == "errno Connection refused\n"
    (directory / "toyd/bus").unlink()
    assert call(directory, PING, {}, check=False) == "errno No such file or directory\n"


def test_call_to_a_daemon_that_dies(toyd, directory):
    caller = subprocess.Popen([BUSD, "call", directory, "toyd", T + "Later", '{"ms":60000}',
                               "20000"], stdout=subprocess.PIPE, text=True)
    wait_for(lambda: toyd.metric("ipc_connections") == 2, "it is called")
    toyd.kill()
    # By whether it was still writing.
    assert caller.communicate(timeout=10)[0] in ("errno Connection reset by peer\n",
                                                 "errno Broken pipe\n")


# ---- the view ----

class Watcher(Process):
    """busd watch: a view, and what it was told so far."""

    def __init__(self, directory, heartbeat=200):
        super().__init__(directory, "watch", directory, "toyd", heartbeat,
                         stdout=subprocess.PIPE)
        self.lines = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.popen.stdout:
            self.lines.append(line.rstrip("\n"))

    def expect(self, *wanted, timeout=10):
        """Wait for lines that begin so, in this order; returns what came until then."""
        def seen():
            rest = list(wanted)
            for i, line in enumerate(self.lines):
                if rest and line.startswith(rest[0]):
                    rest.pop(0)
                if not rest:
                    return i + 1
            return None
        n = wait_for(seen, f"{wanted} among {self.lines}", timeout=timeout, step=0.005)
        got, self.lines[:n] = self.lines[:n], []
        return got

    def link(self):
        self.stop()
        wait_for(lambda: self.lines and self.lines[-1].startswith("link "), "its last word")
        return json.loads(self.lines[-1][5:])


@pytest.fixture
def watcher(directory):
    one = Watcher(directory)
    yield one
    if one.popen.poll() is None:
        one.stop()


def test_a_view_follows(toyd, watcher):
    toyd.call(T + "Put", name="a", value=1)
    watcher.expect("state stale", "state live")
    toyd.call(T + "Put", name="b", value=2)
    watcher.expect("toy b 2")
    toyd.call(T + "Remove", name="b")
    watcher.expect("gone b")
    link = watcher.link()
    varlink.interface("org.trivet.daemon").check(("name", "PeerLink"), link, "link")
    assert link["state"] == "live" and link["sequence"] == 3 and link["reconnects"] == 0
    assert link["interface"] == "org.trivet.test"


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_view_keeps_its_objects_over_a_restart(toyd, watcher, directory, how):
    """Old objects stay until the new snapshot is complete, then all are replaced at once."""
    for name in ("kept", "changed", "lost"):
        toyd.call(T + "Put", name=name, value=1)
    told = watcher.expect("state live")
    wait_for(lambda: "toy lost 1" in told + watcher.lines, "it knows them")
    getattr(toyd, how)()
    watcher.expect("state down")
    with fake(directory) as server:  # one that dies before its snapshot is complete
        with server.accept() as conn:
            server.send(conn, kind="snapshot", sequence=1, complete=False, toys=[toy("half", 1)])
            told = watcher.expect("state stale")
        told += watcher.expect("state down")
        with server.accept() as conn:
            server.send(conn, kind="snapshot", sequence=1, complete=False, toys=[toy("kept", 1)])
            told += watcher.expect("state stale")
            assert not [line for line in told if not line.startswith("state")]
            server.send(conn, kind="snapshot", sequence=2, complete=True, toys=[toy("changed", 2)])
            assert watcher.expect("state live") == [
                "toy changed 2", "gone lost", "state live: snapshot complete"]


def toy(name, value):
    return {"name": name, "value": value, "text": "", "note": None}


def test_a_view_follows_a_successor(toyd, watcher, directory):
    toyd.call(T + "Put", name="old", value=1)
    told = watcher.expect("state live")
    wait_for(lambda: "toy old 1" in told + watcher.lines, "it knows it")
    toyd.stop()
    successor = Toyd(directory)
    watcher.expect("state down", "gone old", "state live")
    successor.call(T + "Put", name="new", value=1)
    watcher.expect("toy new 1")
    successor.stop()


def test_a_view_reconnects_as_soon_as_the_socket_appears(toyd, watcher, directory):
    watcher.expect("state live")
    toyd.kill()
    watcher.expect("state down")
    time.sleep(2.5)  # the back-off grows well beyond what is allowed below
    watcher.lines.clear()
    successor = Toyd(directory)  # returns when it answers
    start = time.monotonic()
    watcher.expect("state live")
    assert time.monotonic() - start < 0.3 * PATIENCE
    successor.stop()


def test_a_view_waits_for_a_directory_that_is_not_there(directory):
    watcher = Watcher(directory)
    time.sleep(0.5)
    toyd = Toyd(directory)
    watcher.expect("state stale", "state live", timeout=2)
    toyd.stop()
    watcher.stop()


def test_a_silent_peer_is_stale(toyd, watcher):
    watcher.expect("state live")
    toyd.signal(signal.SIGSTOP)
    start = time.monotonic()
    watcher.expect("state stale: silent for three heartbeats")
    assert 0.3 < time.monotonic() - start < 2 * PATIENCE
    toyd.signal(signal.SIGCONT)
    watcher.expect("state live")


class Fake:
    """A server that says what a test wants, at toyd's place."""

    def __init__(self, directory, uid=0):
        path = directory / "toyd/bus"
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        link = directory / "toyd.sock"
        if not link.is_symlink():
            link.symlink_to("toyd/bus")
        os.chmod(path.parent, 0o777)
        self.listening = socket.socket(socket.AF_UNIX)
        if uid:
            os.seteuid(uid)
        try:
            self.listening.bind(str(path))
            self.listening.listen()
        finally:
            os.seteuid(0)
        self.listening.settimeout(10 * PATIENCE)

    def accept(self):
        conn, _ = self.listening.accept()
        conn.settimeout(10 * PATIENCE)
        return conn

    def send(self, conn, continues=True, epoch="e", **parameters):
        reply = {"parameters": {"epoch": epoch, **parameters}, "continues": continues}
        conn.sendall(json.dumps(reply).encode() + b"\0")


@contextlib.contextmanager
def fake(directory, **options):
    server = Fake(directory, **options)
    try:
        yield server
    finally:
        server.listening.close()


GOOD = {"kind": "snapshot", "epoch": "e", "sequence": 5, "complete": True, "toys": []}


def reply_bytes(*replies):
    return b"".join(json.dumps({"parameters": {**GOOD, **r}, "continues": True}).encode() + b"\0"
                    for r in replies)


@pytest.mark.parametrize("what, data, why", [
    ("garbage", b"garbage\0", "not a Varlink reply"),
    ("an error", b'{"error":"a.B","parameters":{}}\0', "answered a.B"),
    ("no kind", reply_bytes({"kind": None}), "without kind"),
    ("no epoch", reply_bytes({"epoch": None}), "without epoch"),
    ("no sequence", reply_bytes({"sequence": "5"}), "without epoch and sequence"),
    ("another epoch", reply_bytes({}, {"kind": "heartbeat", "epoch": "f"}), "epoch changed"),
    ("backwards", reply_bytes({}, {"kind": "update", "sequence": 4}), "runs backwards"),
    ("an update first", reply_bytes({"kind": "update"}), "before the snapshot"),
    ("no array", reply_bytes({"toys": {}}), "an array"),
    ("no object", reply_bytes({"toys": [7]}), "an object"),
    ("no key", reply_bytes({"removed": [7]}), "a key"),
    ("the end", b'{"parameters":{"kind":"heartbeat","epoch":"e","sequence":1}}\0', "ended"),
])
def test_a_view_disconnects_from_nonsense(directory, watcher, what, data, why):
    with fake(directory) as server, server.accept() as conn:
        conn.sendall(data)
        while conn.recv(65536):
            pass
        down = watcher.expect("state down")[-1]
        assert why in down, what


def test_a_view_ignores_what_a_newer_peer_adds(directory, watcher):
    with fake(directory) as server, server.accept() as conn:
        conn.sendall(reply_bytes(
            {"kind": "greeting", "news": 1},
            {"toys": [{"name": "a", "value": 1, "text": "", "color": "red"}, {"value": 2}],
             "boxes": [{}]},
            {"kind": "update", "sequence": 9, "toys": None, "removed": ["box/x", "toy/none"]}))
        assert watcher.expect("state live")[-2:] == ["toy a 1", "state live: snapshot complete"]


def test_a_view_does_not_believe_a_stranger(directory, watcher):
    with fake(directory, uid=NOBODY) as server, server.accept() as conn:
        assert conn.recv(65536) == b"", "not even asked"
        wait_for(lambda: watcher.logged(f"served by uid {NOBODY}, a stranger"), "logged")
        assert call(directory, PING, {}, check=False) == "errno Operation not permitted\n"
    assert not any("live" in line for line in watcher.lines)


def test_a_view_backs_off(directory, watcher):
    """A peer that accepts and hangs up: at once, 0.1 s, 0.2 s, 0.4 s ..., give or take a fifth.

    A slow machine accepts late, which shortens the gap that follows: the sum is what counts.
    """
    times = []
    with fake(directory) as server:
        for _ in range(6):
            server.accept().close()
            times.append(time.monotonic())
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert sum(gaps) > 0.8 * (0.1 + 0.2 + 0.4 + 0.8) - gaps[0] and max(gaps) > 0.4, gaps
    assert max(gaps) < 6 * PATIENCE and max(gaps[2:]) > gaps[0], gaps
