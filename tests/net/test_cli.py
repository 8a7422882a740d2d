"""The command: its exit codes, what it says about a running node, reload as one
act, and files against each other."""

import json
import os
import re
import signal

import pytest
from lab import CHECKOUT, wait_for

EXAMPLE = CHECKOUT / "packaging/examples/kube-apiserver"

CONF = """
check up {{
	port {port}
	weight -20
}}
vrrp_instance VI_1 {{
	state MASTER
	interface eth0
	virtual_router_id 51
	priority 100
	advert_int 1
	authentication {{
		auth_type PASS
		auth_pass topsecrt
	}}
	virtual_ipaddress {{
		10.4.7.10/24
	}}
	track_check {{
		up
	}}
}}
stream {{
	upstream api {{
		server 10.4.7.11:8080;
	}}
	server {{
		listen 7443;
		proxy_pass api;
	}}
}}
"""


@pytest.fixture
def node(lab):
    lab.switch("lan")
    return lab.node("r1", "10.4.7.11/24")


@pytest.fixture
def suite(node):
    """All three at work, the address held, nothing wrong."""
    node.web(8080)
    node.suite_proc = node.suite(CONF.format(port=8080))
    wait_for(lambda: node.holds("10.4.7.10"), "the address is held")
    wait_for(lambda: node.trivet("status", check=False).returncode == 0, "nothing is wrong",
             timeout=15)
    return node


# ---- words ----

@pytest.mark.parametrize("words, code, said", [
    ([], 2, "usage: trivet"),
    (["frobnicate"], 2, "there is no verb 'frobnicate'"),
    (["status", "--run-dir"], 2, "--run-dir wants a directory"),
    (["status", "extra"], 2, "unexpected argument 'extra'"),
    (["status", "--frob"], 2, "usage: trivet status"),
    (["why", "-x"], 2, "usage: trivet why"),
    (["check"], 2, "which file?"),
    (["events", "-x"], 2, "usage: trivet events"),
    (["metrics", "a", "b"], 2, "usage: trivet metrics"),
    (["reload", "-x"], 2, "usage: trivet reload"),
    (["restart"], 2, "which daemon?"),
    (["pause"], 2, "which check?"),
    (["pause", "--for", "soon", "chk"], 2, "'soon' is not a time"),
    (["force", "chk", "sideways"], 2, "up, down or auto?"),
    (["resume", "chk", "now"], 2, "unexpected argument 'now'"),
    (["run", "--only", "vrrpd,dhcpd"], 2, "not 'vrrpd,dhcpd'"),
    (["run", "extra"], 2, "unexpected argument 'extra'"),
    (["--help"], 0, "restart  restart daemons"),
    (["help"], 0, "usage: trivet"),
    (["status", "--help"], 0, "usage: trivet status [--plugin]"),
    (["--version"], 0, "trivet 0."),
], ids=lambda v: " ".join(v) or "nothing" if isinstance(v, list) else None)
def test_usage(node, words, code, said):
    done = node.run([node.binary("trivet"), *words], check=False)
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done


def test_nobody_there(node):
    done = node.trivet("status", check=False)
    assert done.returncode == 1
    assert "vrrpd" in done.stdout and "not running" in done.stdout
    done = node.trivet("status", "--plugin", check=False)
    assert (done.returncode, done.stdout) == (3, "TRIVET UNKNOWN - no daemon answers\n")
    for verb in (["why"], ["reload"], ["events"], ["metrics"], ["restart", "vrrpd"]):
        done = node.trivet(*verb, check=False)
        assert done.returncode == 1 and done.stderr.startswith(f"trivet {verb[0]}: "), verb
    assert "vrrpd_up 0\n" in node.trivet("metrics", check=False).stdout


# ---- check ----

def test_check_good(node):
    path = node.write("good.conf", CONF.format(port=8080))
    done = node.trivet("check", path)
    assert f"{path}: 1 instance, 1 check, 1 listener, 1 upstream\n" in done.stderr
    assert f"{path}: good" in done.stderr


def test_check_bad(node):
    path = node.write("bad.conf", CONF.format(port=8080).replace("priority", "prioriy"))
    done = node.trivet("check", path, check=False)
    assert done.returncode == 78
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "prioriy" in text)
    assert f"{path}:{line}:2: error: unknown directive 'prioriy'" in done.stderr
    assert "did you mean 'priority'?" in done.stderr
    assert f"{path}: not usable; 1 error" in done.stderr
    found = json.loads(node.trivet("--json", "check", path, check=False).stdout)
    assert [d["line"] for d in found if d["severity"] == "error"] == [line]


def test_check_missing(node):
    done = node.trivet("check", "/nowhere/x.conf", check=False)
    assert done.returncode == 78
    assert "/nowhere/x.conf" in done.stderr and "No such file" in done.stderr


def test_check_print(node):
    """Normal form, without the password, and it parses back."""
    path = node.write("good.conf", CONF.format(port=8080))
    printed = node.trivet("check", "--print", path).stdout
    assert "topsecrt" not in printed and "vrrp_instance VI_1" in printed


def test_check_two_files_of_others(node):
    """keepalived.conf and nginx.conf as they are, without writing a third."""
    keepalived = node.write("keepalived.conf", CONF.format(port=8080).split("stream {")[0]
                            .replace("track_check", "track_script")
                            .replace("check up {\n\tport 8080",
                                     'vrrp_script up {\n\tscript "/bin/true"'))
    nginx = node.write("nginx.conf", "worker_processes 1;\nevents { worker_connections 9; }\n"
                       "stream {" + CONF.format(port=8080).split("stream {")[1])
    done = node.trivet("check", "--keepalived", keepalived, "--nginx", nginx)
    assert "command line: 1 instance, 1 check, 1 listener, 1 upstream\n" in done.stderr
    nginx.write_text("stream { frob; }\n")
    done = node.trivet("check", "--keepalived", keepalived, "--nginx", nginx, check=False)
    assert done.returncode == 78 and f"{nginx}:1:10: error: " in done.stderr


def test_check_nodes_against_each_other(node):
    """The shipped example fits; with one priority changed it does not."""
    script = node.script("check_port.sh", (EXAMPLE / "check_port.sh").read_text())
    text = (EXAMPLE / "trivet.conf").read_text().replace("/etc/trivet/check_port.sh", str(script))
    path = node.write("pair.conf", text)
    done = node.trivet("check", "-i", "n1", path, "-i", "n2", path)
    assert f"{path}@n1, {path}@n2: good" in done.stderr
    assert "error" not in done.stderr and "warning" not in done.stderr
    assert [re.split("  +", line) for line in done.stdout.splitlines()] == [
        ["VI_1", "master", "then", "within"],
        ["chk_ingress fails on n1", "n1", "n2", "0.65 s, and up to 2.00 s to notice"],
        ["proxyd stops serving on n1", "n1", "n2", "0.65 s, and up to 3.00 s to notice"],
        ["n1 is lost", "n1", "n2", "3.65 s"],
        ["chk_ingress fails on n2", "n1", "n1"],
        ["proxyd stops serving on n2", "n1", "n1"],
        ["n2 is lost", "n1", "n1"]]
    path = node.write("pair.conf", text.replace("@n2 priority 90", "@n2 priority 60"))
    done = node.trivet("check", "-i", "n1", path, "-i", "n2", path)
    assert "warning: weight -20 of chk_ingress can never move the address: 100 - 20 is not " \
           f"below the 60 of {path}@n2" in done.stderr


# ---- a running node ----

def test_status(suite):
    done = suite.trivet("status")
    assert done.stdout.startswith("Nothing is wrong.\n")
    for words in ("VI_1", "MASTER", "10.4.7.10/24 on eth0", "priority 100", "api", "1 of 1",
                  "listening", "10.4.7.11:8080"):
        assert words in done.stdout, words
    assert "\033" not in done.stdout, "colour is for terminals"
    merged = json.loads(suite.trivet("status", "--json").stdout)
    assert merged["instances"][0]["state"] == "master"
    assert set(merged["daemons"]) == {"checkd", "proxyd", "vrrpd"}
    assert merged["problems"] == []
    plugin = suite.trivet("status", "--plugin").stdout
    assert plugin.startswith("TRIVET OK - nothing is wrong | masters=1 ")


def test_service_stops(suite):
    """Seen in status, in why, in the plugin; and over when it is back."""
    suite.procs[0].stop()
    wait_for(lambda: suite.instance("VI_1")["effectivePriority"] == 80, "the priority drops")
    done = suite.trivet("status", check=False)
    assert done.returncode == 2
    assert "warning" in done.stdout.splitlines()[1] and "up: check is down" in done.stdout
    why = suite.trivet("why", "VI_1").stdout
    assert "VI_1 is MASTER" in why and "Its priority is 80:" in why
    assert re.search(r"^ +100  base$", why, re.M)
    assert re.search(r"^ +-20  script up +down since \S+: .*nothing listens on port 8080", why, re.M)
    assert suite.trivet("why", "VI_9", check=False).returncode == 1
    assert suite.trivet("status", "--plugin", check=False).returncode == 1
    events = suite.trivet("events").stdout
    assert "Changing effective priority from 100 to 80" in events
    suite.web(8080, name="again")
    wait_for(lambda: suite.instance("VI_1")["effectivePriority"] == 100, "the priority is back")


def test_one_is_away(node):
    node.web(8080)
    # Without `off` a listener of nobody's would be the instance's business, and proxyd missed.
    conf = CONF.format(port=8080).replace("\ttrack_check {", "\ttrack_proxy off\n\ttrack_check {")
    node.suite(conf, only=["checkd", "vrrpd"])
    wait_for(lambda: node.holds("10.4.7.10"), "the address is held")
    done = node.trivet("status", check=False)
    assert done.returncode == 2 and "proxyd: not running" in done.stdout
    assert "VI_1" in done.stdout
    wait_for(lambda: node.trivet("status", "--only", "checkd,vrrpd", check=False).returncode == 0,
             "asked only for those that are meant to run, nothing is wrong")


def test_reload(suite):
    """Dry run, then all of them; the same text in all."""
    conf = suite.dir / "trivet.conf"
    pids = {d: suite.daemon_pid(d) for d in ("checkd", "proxyd", "vrrpd")}
    suite.write("trivet.conf", conf.read_text().replace("priority 100", "priority 150"))
    done = suite.trivet("reload", "--dry-run")
    assert "vrrpd: would change: " in done.stdout and "priority" in done.stdout
    assert suite.instance("VI_1")["basePriority"] == 100
    done = suite.trivet("reload")
    assert [line.split(":")[0] for line in done.stdout.splitlines() if "reloaded" in line] == [
        "checkd", "proxyd", "vrrpd"]
    wait_for(lambda: suite.instance("VI_1")["basePriority"] == 150, "the new priority")
    assert suite.holds("10.4.7.10")
    status = {d: suite.status(d) for d in pids}
    assert {d: s["pid"] for d, s in status.items()} == pids
    assert len({s["configDigest"] for s in status.values()}) == 1
    assert {s["configGeneration"] for s in status.values()} == {2}


def test_reload_of_a_bad_file(suite):
    """Refused by all with the reason; nothing changes; SIGHUP of the supervisor likewise."""
    conf = suite.dir / "trivet.conf"
    before = {d: suite.status(d)["configDigest"] for d in ("checkd", "proxyd", "vrrpd")}
    suite.write("trivet.conf", conf.read_text().replace("proxy_pass", "proxy_pas"))
    done = suite.trivet("reload", check=False)
    assert done.returncode == 78
    assert f"{conf}:" in done.stderr and "error: unknown directive 'proxy_pas'" in done.stderr
    assert done.stderr.rstrip().endswith("trivet reload: nothing was changed")
    suite.suite_proc.hup()
    suite.suite_proc.wait_log("reload refused: nothing changed")
    assert {d: suite.status(d)["configDigest"] for d in before} == before
    assert {suite.status(d)["configGeneration"] for d in before} == {1}


def test_reload_needs_root(suite):
    done = suite.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--groups=_trivet",
                      suite.binary("trivet"), "--run-dir", suite.run_dir, "reload"], check=False)
    assert done.returncode == 1 and "be root" in done.stderr
    assert suite.status("vrrpd")["configGeneration"] == 1


def test_hup_of_the_supervisor(suite):
    conf = suite.dir / "trivet.conf"
    suite.write("trivet.conf", conf.read_text().replace("priority 100", "priority 140"))
    suite.suite_proc.hup()
    wait_for(lambda: suite.instance("VI_1")["basePriority"] == 140, "the new priority")


def test_restart(suite):
    """Of each alone; the other two keep running, the address stays."""
    for name in ("checkd", "proxyd", "vrrpd"):
        before = {d: suite.daemon_pid(d) for d in ("checkd", "proxyd", "vrrpd")}
        suite.trivet("restart", name)
        after = {d: suite.daemon_pid(d) for d in before}
        assert {d for d in before if before[d] != after[d]} == {name}
        wait_for(lambda: suite.holds("10.4.7.10"), f"the address is held after {name}")


def test_stop(suite):
    """In order; nothing is left, the address least of all."""
    assert suite.suite_proc.stop() == 0
    assert not suite.holds("10.4.7.10")
    assert not {p for d in ("checkd", "proxyd", "vrrpd", "trivet-runner")
                for p in suite.pids_of(d)}
    log = suite.suite_proc.log()
    assert log.index("(vrrpd) ended with status 0") < log.index("(proxyd) stopping")


def test_supervisor_killed(suite):
    """The daemons learn of it, though they have dropped root, and stop."""
    suite.suite_proc.kill9()
    wait_for(lambda: not [p for d in ("checkd", "proxyd", "vrrpd", "trivet-runner")
                          for p in suite.pids_of(d)], "all of them end")
    assert not suite.holds("10.4.7.10")


def test_all_killed_at_once(suite):
    """Three crashes at one time: the same address, the same master, a moment later."""
    for name in ("checkd", "proxyd", "vrrpd"):
        os.kill(suite.daemon_pid(name), signal.SIGKILL)
    assert suite.holds("10.4.7.10")
    wait_for(lambda: suite.trivet("status", check=False).returncode == 0, "nothing is wrong")
    assert suite.instance("VI_1")["state"] == "master"


def test_events(suite):
    """In the order of time over all daemons; as lines of JSON too."""
    lines = suite.trivet("events", "--json").stdout.splitlines()
    stamps = [json.loads(line)["usec"] for line in lines]
    assert stamps == sorted(stamps)
    assert {json.loads(line)["daemon"] for line in lines} == {"checkd", "proxyd", "vrrpd"}
    assert len(suite.trivet("events").stdout.splitlines()) >= len(lines)


def test_events_go_on(suite):
    """-f over a restart of the daemon that speaks: each event once, the new ones all."""
    follow = suite.spawn([suite.binary("trivet"), "--run-dir", suite.run_dir, "events", "-f"])
    follow.wait_log(r"vrrpd  \(VI_1\) .*MASTER")
    seen = follow.log()
    os.kill(suite.daemon_pid("vrrpd"), signal.SIGKILL)
    follow.wait_log(r"vrrpd  \(VI_1\) .*resumed", timeout=15)
    suite.procs[0].stop()
    follow.wait_log("Changing effective priority from 100 to 80", timeout=15)
    assert follow.log().startswith(seen)
    lines = follow.log().splitlines()
    assert len(set(lines)) == len(lines), "none is told twice"


def test_metrics(suite):
    text = suite.trivet("metrics").stdout
    for name in ("checkd", "proxyd", "vrrpd"):
        assert f"{name}_up 1\n" in text
    only = suite.trivet("metrics", "vrrpd_").stdout
    assert "vrrpd_up 1\n" in only and "checkd_up" not in only
    assert set(json.loads(suite.trivet("metrics", "--json").stdout)) == {
        "checkd", "proxyd", "vrrpd"}


def test_watch(suite):
    watch = suite.spawn([suite.binary("trivet"), "--run-dir", suite.run_dir, "watch"])
    watch.wait_log("Nothing is wrong")
    suite.procs[0].stop()
    watch.wait_log("up: check is down")
    watch.stop()


def test_manual_page(node):
    """Each verb that help names, and each option of its usage, is in trivet.8."""
    page = (CHECKOUT / "ctl/trivet.8").read_text()
    verbs = re.findall(r"^  (\w+) ", node.run([node.binary("trivet"), "help"]).stdout, re.M)
    assert len(verbs) >= 9
    for verb in verbs:
        assert f".Ss {verb}\n" in page, verb
        usage = node.run([node.binary("trivet"), verb, "--help"]).stdout.splitlines()[0]
        for option in re.findall(r"--?([\w-]+)", usage):
            escaped = option if len(option) == 1 else f"-{option}"
            assert f"Fl {escaped}" in page, f"{verb}: {option}"
