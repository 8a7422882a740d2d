"""A restart of checkd under its consumers: nothing they say may change; and the file by which it
knows."""

import json

import pytest

import varlink
from lab import wait_for
from test_checkd import LIST, check, make  # noqa: F401 (a fixture)

CONF = """
vrrp_instance VI_1 {{
	interface eth0
	virtual_router_id 51
	priority 100
	advert_int 1
	virtual_ipaddress {{
		10.4.7.10
	}}
	track_check {{
		good
		bad weight -10
		forced weight -20
		script
	}}
}}
stream {{
	upstream web {{
		server 10.4.7.11:9001;
		server 10.4.7.11:9002;
		health_check interval=200ms;
	}}
	server {{
		listen 127.0.0.1:7443;
		proxy_pass web;
	}}
}}
"""


def said(node):
    """What consumers make of the verdicts: priority, its terms, servers."""
    instance = node.instance("VI_1")
    servers = node.call("proxyd", "org.trivet.proxy.ListUpstreams")["servers"]
    return (instance["state"], instance["effectivePriority"],
            [(t["name"], t["up"], t["contribution"]) for t in instance["terms"]],
            [(s["name"], s["state"], s["lastChangeAt"]) for s in servers])


def is_master(node):
    try:
        return node.instance("VI_1")["state"] == "master"
    except varlink.VarlinkError:
        return False  # vrrpd answers before its interfaces are known


@pytest.mark.parametrize("how", ["TERM", "KILL"])
def test_no_consumer_flaps(lab, how):
    lab.switch()
    node = lab.node("r1", "10.4.7.11/24")
    node.script("script.sh", "#!/bin/sh\nsleep 0.1\n")
    node.listener(9001)
    text = CONF.format() + check("good", "port 9001") + check("bad", "port 9009", fall=3)
    text += check("forced", "port 9001")
    text += check("script", f'script "{node.dir}/script.sh"', interval="300ms", timeout=10)
    node.suite(text)
    wait_for(lambda: is_master(node), "it is master")
    node.trivet("force", "forced", "down", "a restart must not forget")
    wait_for(lambda: node.instance("VI_1")["effectivePriority"] == 70, "all is counted")
    wait_for(lambda: {s[1] for s in said(node)[3]} == {"up", "down"}, "servers are checked")
    before = said(node)
    watch = varlink.connect(node.socket_path("vrrpd")).monitor("org.trivet.vrrp.Monitor")
    next(watch)
    for _ in range(3):
        pid = node.daemon_pid("checkd")
        if how == "TERM":
            node.trivet("restart", "checkd")
        else:
            node.run(["kill", "-KILL", str(pid)])

        def successor():
            try:
                return node.daemon_pid("checkd") != pid
            except (OSError, EOFError):
                return False
        wait_for(successor, "another one answers")
        wait_for(lambda: all(c["lastCheckedUsec"] is not None and c["state"] != "unknown" for c in
                             node.call("checkd", "org.trivet.check.ListChecks")["checks"]),
                 "every check has run")
        assert said(node) == before
    # And what happened in between: each message since is of the same priority.
    marker = node.trivet("force", "forced", "auto")
    for message in watch:
        [instance] = message.get("instances") or [None]
        if instance is None:
            continue
        assert instance["state"] == "master"
        if instance["effectivePriority"] != 70:
            assert instance["effectivePriority"] == 90  # ours, at the end
            break
    assert marker.returncode == 0


def test_many_checks_are_written_part_by_part(make):
    """Over many turns of the loop, and over reloads meanwhile: what is in place is always whole."""
    def conf(n):
        return "".join(check(f"c{i}", f"port {10000 + i}", interval="60s") for i in range(n))
    c = make()
    c.start(conf(300))
    path = c.node.run_dir / "checkd" / "state"

    def written(name, mode):
        shown = {s["name"]: s for s in json.loads(path.read_text())["checks"]} if path.exists() else {}
        admin = shown.get(name, {}).get("administrative")
        return shown if admin and admin["mode"] == mode else None
    wait_for(lambda: all(s["state"] == "down" for s in c.call(LIST)["checks"]), "all have run",
             step=0.2)
    c.node.trivet("force", "c299", "up")
    assert len(wait_for(lambda: written("c299", "forcedUp"), "all are written")) == 300
    for n in 301, 302, 303:  # most of them while it is being written
        c.node.trivet("pause", "c0")
        c.reload(conf(n))
        c.node.trivet("resume", "c0")
    c.node.trivet("pause", "c1")
    wait_for(lambda: len(written("c1", "paused") or ()) == 303, "those that came, too")
    c.proc.kill9()
    c.start()
    assert "303 with a verdict from before" in c.proc.log()
    assert c.get("c299")["administrative"] == "forcedUp"
