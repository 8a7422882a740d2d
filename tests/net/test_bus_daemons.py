"""Each daemon on the bus, as itself: what it lists it answers, what it answers
is what it declares, and only those who may can change anything.
"""
import contextlib
import json
import os
import subprocess
import time

import pytest

import varlink
from lab import DAEMONS, wait_for
from test_bus import NOBODY, as_user, is_closed

CONTROL = "org.trivet.daemon.control."
CONF = """
vrrp_script chk {
    script "/bin/true"
    interval 1
    timeout 5
}
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        10.4.7.10/24
    }
    track_script {
        chk
    }
}
stream {
    upstream web {
        server 127.0.0.1:8081;
        server 127.0.0.1:8082;
    }
    server {
        listen 127.0.0.1:8080;
        proxy_pass web;
    }
}
"""

# What a method that needs something is called with; all others with nothing.
SERVER = {"upstream": "web", "server": "127.0.0.1:8081"}
PARAMETERS = {
    "org.varlink.service.GetInterfaceDescription": {"interface": "org.varlink.service"},
    CONTROL + "Reload": {"dryRun": True},
    "org.trivet.check.CheckNow": {"name": "chk"},
    "org.trivet.check.Watch": {"upstream": "web", "servers": []},
    "org.trivet.check.control.SetAdministrative": {"name": "chk", "administrative": "auto"},
    "org.trivet.vrrp.control.AdjustPriority": {"name": "VI_1"},
    "org.trivet.vrrp.control.Release": {"name": "VI_1"},
    "org.trivet.vrrp.control.Resume": {"name": "VI_1"},
    "org.trivet.proxy.control.SetServerState": {**SERVER, "state": "ready"},
    "org.trivet.proxy.control.SetServerWeight": SERVER,
    "org.trivet.proxy.control.CloseSessions": SERVER,
}
# Well-formed, and yet not to be had here and now: refused with an error of its own interface.
REFUSED = {"org.trivet.check.CheckNow", "org.trivet.check.Watch",
           "org.trivet.vrrp.control.Release"}
# Only streams: a plain call is told so.
STREAMS = {"org.trivet.check.Watch", "org.trivet.proxy.ListSessions"}
# Not for everybody who may read, although not control.
SIBLINGS = {"org.trivet.check.CheckNow", "org.trivet.check.Watch"}
LISTS = {
    "org.trivet.check.ListChecks": "NoSuchCheck",
    "org.trivet.vrrp.ListInstances": "NoSuchInstance",
    "org.trivet.proxy.ListListeners": "NoSuchListener",
    "org.trivet.proxy.ListUpstreams": "NoSuchUpstream",
}
OWN = {"checkd": "org.trivet.check", "vrrpd": "org.trivet.vrrp", "proxyd": "org.trivet.proxy"}


@pytest.fixture
def node(lab):
    lab.switch("lan")
    return lab.node("r1", "10.4.7.11/24")


def bus_of(node, daemon):
    return varlink.connect(node.socket_path(daemon))


def declared_methods(bus):
    for name in bus.call("org.varlink.service.GetInfo")["interfaces"]:
        text = bus.call("org.varlink.service.GetInterfaceDescription", interface=name)
        for method in varlink.Interface(text["description"]).methods:
            yield f"{name}.{method}"


def answers(bus, method):
    """Every answer, an error too, is checked against the interface inside."""
    try:
        bus.call(method, PARAMETERS.get(method))
        assert method not in STREAMS
    except varlink.VarlinkError as error:
        if method in STREAMS:
            assert error.error == "org.varlink.service.ExpectedMore"
        else:
            assert method in REFUSED and not error.error.startswith("org.varlink.service.")


@pytest.mark.parametrize("daemon", DAEMONS)
def test_every_declared_method_answers_as_declared(node, daemon):
    node.daemon(daemon, CONF)
    with bus_of(node, daemon) as bus:
        methods = list(declared_methods(bus))
        assert OWN[daemon] + ".Monitor" in methods and CONTROL + "Reload" in methods
        for method in methods:
            answers(bus, method)
            with pytest.raises(varlink.VarlinkError, match="InvalidParameter.*undeclared"):
                bus.call(method, {**PARAMETERS.get(method, {}), "undeclared": 1})
        for method in LISTS.keys() & set(methods):
            with pytest.raises(varlink.VarlinkError, match=LISTS[method]):
                bus.call(method, name="nobody")


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_stranger_reads_and_changes_nothing(node, daemon):
    proc = node.daemon(daemon, CONF)
    with bus_of(node, daemon) as bus:
        methods = list(declared_methods(bus))
    with as_user(NOBODY):  # with the group _trivet, to which the directory is open
        stranger = bus_of(node, daemon)
    with stranger as bus:
        for method in methods:
            if ".control." not in method and method not in SIBLINGS:
                answers(bus, method)
                continue
            if method in STREAMS:
                continue  # its own tests stream it
            with pytest.raises(varlink.VarlinkError) as denied:
                bus.call(method, PARAMETERS.get(method))
            assert denied.value.error == "org.varlink.service.PermissionDenied"
    assert f"denied to uid {NOBODY} pid {os.getpid()}" in proc.log()
    assert node.status(daemon)["configGeneration"] == 1


@pytest.mark.parametrize("daemon", DAEMONS)
def test_the_socket_and_who_owns_it(node, daemon):
    node.daemon(daemon, CONF)
    link = node.socket_path(daemon)
    assert os.readlink(link) == f"{daemon}/bus" and os.lstat(link).st_uid == 0
    owner = os.stat(link).st_uid
    assert owner == os.stat(node.run_dir / daemon).st_uid != 0
    assert oct(os.stat(node.run_dir / daemon).st_mode & 0o7777) == "0o750"
    info = node.call(daemon, "org.varlink.service.GetInfo")
    assert info["product"] == daemon and OWN[daemon] in info["interfaces"]


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_second_daemon_does_not_start(node, daemon):
    node.daemon(daemon, CONF)
    second = node.daemon(daemon, ready=False)
    assert second.wait() == 1
    assert "serves it already" in second.log()
    assert node.status(daemon)["health"] == "ok"


@pytest.mark.parametrize("daemon", DAEMONS)
def test_the_first_snapshot_is_whole(node, daemon):
    node.daemon(daemon, CONF)
    with bus_of(node, daemon) as bus:
        stream = bus.monitor(OWN[daemon] + ".Monitor", heartbeatMs=100)
        first = next(stream)
        assert first["kind"] == "snapshot" and first["complete"] is True
        assert first["epoch"] == node.status(daemon)["epoch"]
        beat = next(m for m in stream if m["kind"] == "heartbeat")
        assert beat["sequence"] >= first["sequence"]


def test_reload_over_the_bus(node):
    node.daemon("checkd", CONF)
    before = node.status("checkd")
    with bus_of(node, "checkd") as bus:
        same = bus.call(CONTROL + "Reload", dryRun=True)
        assert same["changes"] == [] and same["configDigest"] == before["configDigest"]

        node.write("trivet.conf", CONF.replace("interval 1", "interval 2"))
        told = bus.call(CONTROL + "Reload", dryRun=True)
        assert any("chk" in line for line in told["changes"])
        assert told["configGeneration"] == 1 == node.status("checkd")["configGeneration"]

        with pytest.raises(varlink.VarlinkError) as other:
            bus.call(CONTROL + "Reload", digest=before["configDigest"])
        assert other.value.error == CONTROL + "DigestDiffers"
        assert other.value.parameters == {"found": told["configDigest"]}

        done = bus.call(CONTROL + "Reload", digest=told["configDigest"])
        assert done["configGeneration"] == 2 and done["changes"] == told["changes"]
        after = node.status("checkd")
        assert (after["configGeneration"], after["configDigest"]) == (2, told["configDigest"])


def test_a_bad_file_over_the_bus(node):
    proc = node.daemon("checkd", CONF)
    node.write("trivet.conf", CONF + "\nvrrp_instanze X {\n}\n")
    with bus_of(node, "checkd") as bus:
        with pytest.raises(varlink.VarlinkError) as invalid:
            bus.call(CONTROL + "Reload")
        assert invalid.value.error == CONTROL + "ConfigInvalid"
        errors = [d for d in invalid.value.parameters["diagnostics"] if d["severity"] == "error"]
        assert errors[0]["file"].endswith("trivet.conf")
        assert errors[0]["line"] == CONF.count("\n") + 2 and "vrrp_instan" in errors[0]["message"]
        status = bus.call("org.trivet.daemon.GetStatus")
        assert status["configGeneration"] == 1 and status["lastReloadError"]
        metrics = bus.call("org.trivet.daemon.ListMetrics", prefix="checkd_config_last_reload_s")
        values = {m["name"]: m["value"] for m in metrics["metrics"]}
        assert values["checkd_config_last_reload_successful"] == 0
    assert f"{CONTROL}Reload by uid 0 pid {os.getpid()}: {CONTROL}ConfigInvalid" in proc.log()


def test_siblings_see_each_other(node):
    """Views in GetStatus.peers and as metrics, live and down."""
    checkd = node.daemon("checkd", CONF)
    node.daemon("vrrpd")

    def state(wanted):
        peers = node.status("vrrpd")["peers"]
        return [p for p in peers if p["interface"] == "org.trivet.check"
                and p["state"] == wanted]
    wait_for(lambda: state("live"), "vrrpd has checkd's verdicts")
    assert checkd.stop() == 0
    wait_for(lambda: state("down"), "vrrpd knows that checkd is away")
    metrics = node.call("vrrpd", "org.trivet.daemon.ListMetrics", {"prefix": "vrrpd_ipc_peer"})
    values = {(m["labels"]["peer"], m["labels"]["state"]): m["value"] for m in metrics["metrics"]}
    assert values["checkd", "down"] == 1 and values["checkd", "live"] == 0
    time.sleep(2.5)  # the back-off grows well beyond what is allowed below
    node.daemon("checkd")  # returns when it answers
    wait_for(lambda: state("live"), "and at once that it is back: it watches the directory",
             timeout=0.5)


def test_from_the_shell(node):
    """The one-liner of the manual: no NUL sent, jq reads what comes."""
    node.daemon("checkd", CONF)
    done = subprocess.run(
        f"echo '{{\"method\":\"org.trivet.daemon.GetStatus\"}}' | "
        f"socat -t5 - UNIX-CONNECT:{node.socket_path('checkd')} | tr '\\0' '\\n' | "
        f"jq -r .parameters.daemon", shell=True, capture_output=True, text=True, timeout=20)
    assert done.stdout == "checkd\n", done.stderr


def test_garbage_is_felt_by_nobody(node):
    proc = node.daemon("checkd", CONF)
    for data in (b"\0", b"\xff" * 70000, b'{"method":7}\0', b"[" * 70000, b"GET / HTTP/1.0\0"):
        with bus_of(node, "checkd") as bus:
            with contextlib.suppress(OSError):
                bus.send_raw(data)
            assert is_closed(bus)
    assert proc.alive() and node.status("checkd")["health"] == "ok"
    metrics = node.call("checkd", "org.trivet.daemon.ListMetrics",
                        {"prefix": "checkd_ipc_malformed"})["metrics"]
    assert metrics[0]["value"] == 5, json.dumps(metrics)
