"""The life of a daemon, the same for all three: options, exit codes, who it is,
which configuration runs (common/daemon*.c; design.md sections 3 and 8)."""

import contextlib
import os
import pwd
import subprocess
from pathlib import Path

import pytest

from lab import DAEMONS, proc_status, wait_for

CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW = 1 << 10, 1 << 12, 1 << 13
CAPS = {"vrrpd": CAP_NET_ADMIN | CAP_NET_RAW, "checkd": 0, "proxyd": CAP_NET_BIND_SERVICE}

GOOD = """
check web {
    port 7443
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        10.4.7.10/24
    }
    track_check {
        web
    }
}
stream {
    upstream kube-apiserver {
        server 10.4.7.21:6443;
    }
    server {
        listen 10.4.7.10:7443;
        proxy_pass kube-apiserver;
    }
}
"""
BROKEN = GOOD.replace("priority 100", "prioriy 100")
# For each daemon an error that is another one's business.
ELSEWHERE = {
    "vrrpd": GOOD.replace("proxy_pass", "proxy_pas"),
    "checkd": GOOD.replace("proxy_pass", "proxy_pas"),
    "proxyd": BROKEN,
}


@pytest.fixture
def node(lab):
    lab.switch()
    return lab.node("n1", "10.4.7.11/24")


def degraded(node, daemon):
    status = node.status(daemon)
    return status["healthReasons"] if status["health"] == "degraded" else []


def remembered(node, daemon):
    return node.state_dir / daemon / "last-good.conf"


@pytest.mark.parametrize("daemon", DAEMONS)
def test_options(node, daemon):
    binary = node.binary(daemon)
    version = node.run([binary, "--version"])
    assert version.stdout.startswith(f"{daemon} (trivet) ")
    for wrong in (["--no-such-option"], ["stray"], ["-c"]):
        done = node.run([binary, *wrong], check=False)
        assert done.returncode == 2
        assert "usage:" in done.stderr


@pytest.mark.parametrize("daemon", DAEMONS)
def test_check_only(node, daemon):
    good = node.write("good.conf", GOOD)
    broken = node.write("broken.conf", BROKEN)
    assert node.run([node.binary(daemon), "-t", "-c", good]).returncode == 0
    done = node.run([node.binary(daemon), "-t", "-c", broken], check=False)
    assert done.returncode == 78
    assert "broken.conf:8:5: error: " in done.stderr
    assert "did you mean 'priority'?" in done.stderr
    assert not node.run_dir.exists(), "a check leaves nothing behind"


@pytest.mark.parametrize("daemon", DAEMONS)
def test_no_configuration(node, daemon):
    proc = node.daemon(daemon, conf="nowhere.conf", ready=False)
    assert proc.wait() == 78
    assert "nowhere.conf" in proc.log() and "No such file" in proc.log()


@pytest.mark.parametrize("daemon", DAEMONS)
def test_privileges(node, daemon):
    node.daemon(daemon, GOOD)
    status = proc_status(node.daemon_pid(daemon))
    uid = pwd.getpwnam(f"_trivet-{daemon}").pw_uid
    assert status["Uid"].split() == [str(uid)] * 4
    assert "0" not in status["Groups"].split()
    for name in ("CapPrm", "CapEff"):
        assert int(status[name], 16) == CAPS[daemon], name
    for name in ("CapInh", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"


@pytest.mark.parametrize("daemon", DAEMONS)
def test_directories(node, daemon):
    node.daemon(daemon, GOOD)
    run, own = node.run_dir.stat(), (node.run_dir / daemon).stat()
    assert (run.st_uid, run.st_mode & 0o7777) == (0, 0o755)
    assert (pwd.getpwuid(own.st_uid).pw_name, own.st_mode & 0o7777) == (f"_trivet-{daemon}", 0o750)
    assert os.readlink(node.run_dir / f"{daemon}.sock") == f"{daemon}/bus"
    wait_for(remembered(node, daemon).exists, "it remembers its configuration")
    assert remembered(node, daemon).stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("daemon", DAEMONS)
def test_served_already(node, daemon):
    first = node.daemon(daemon, GOOD)
    pid = node.daemon_pid(daemon)
    second = node.daemon(daemon, ready=False)
    assert second.wait() == 1
    assert "already" in second.log()
    assert first.alive() and node.daemon_pid(daemon) == pid


def test_not_root(node):
    """One line that says what is missing; nothing half started."""
    path = node.write("trivet.conf", GOOD, 0o644)
    done = node.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                     node.binary("vrrpd"), "-c", path, "--run-dir", node.run_dir,
                     "--state-dir", node.state_dir], check=False)
    assert done.returncode == 1
    assert "cap_net_admin" in done.stderr and "cap_net_raw" in done.stderr


def test_run_directory_missing(node):
    path = node.write("trivet.conf", GOOD, 0o644)
    done = node.run(["setpriv", "--reuid=_trivet-checkd", "--regid=_trivet-checkd",
                     "--clear-groups", "--bounding-set=-all", node.binary("checkd"), "-c", path,
                     "--run-dir", node.dir / "absent", "--state-dir", node.state_dir],
                    check=False)
    assert done.returncode == 1
    assert str(node.dir / "absent" / "checkd") in done.stderr


def test_run_directory_of_a_stranger(node):
    """Root does not hand its socket to whoever made the directory first."""
    own = node.run_dir / "checkd"
    own.mkdir(parents=True)
    os.chown(own, pwd.getpwnam("nobody").pw_uid, -1)
    proc = node.daemon("checkd", GOOD, ready=False)
    assert proc.wait() == 1
    assert "belongs to another user" in proc.log()


@pytest.mark.parametrize("daemon", DAEMONS)
def test_broken_at_first_start(node, daemon):
    """Nothing to fall back to: errors in the daemon's own part are fatal, others' are not."""
    proc = node.daemon(daemon, ELSEWHERE[daemon])
    assert degraded(node, daemon)
    assert not (node.state_dir / daemon / "last-good.conf").exists()
    proc.stop()
    proc = node.daemon(daemon, "stream {\n", ready=False)
    assert proc.wait() == 78
    assert "no last good" in proc.log()


@pytest.mark.parametrize("daemon", DAEMONS)
def test_broken_at_reload(node, daemon):
    """A broken file changes nothing that runs, and everybody can see why."""
    proc = node.daemon(daemon, GOOD)
    before = node.status(daemon)
    node.write("trivet.conf", BROKEN)
    proc.hup()
    proc.wait_log(r"reload refused, nothing changed: .*trivet.conf:8:5: ")
    after = node.status(daemon)
    assert after["configGeneration"] == before["configGeneration"]
    assert after["configDigest"] == before["configDigest"]
    assert "prioriy" in after["lastReloadError"]
    assert degraded(node, daemon)

    node.write("trivet.conf", GOOD)
    proc.hup()
    wait_for(lambda: node.status(daemon)["health"] == "ok", "healthy again")
    assert node.status(daemon)["configGeneration"] == before["configGeneration"] + 1
    assert node.status(daemon).get("lastReloadError") is None


@pytest.mark.parametrize("daemon", DAEMONS)
@pytest.mark.parametrize("how", ["restart", "crash", "file removed"])
def test_broken_at_restart(node, daemon, how):
    """The last good configuration runs, degraded and loud."""
    proc = node.daemon(daemon, GOOD)
    digest = node.status(daemon)["configDigest"]
    wait_for(remembered(node, daemon).exists, "it remembers its configuration")
    if how == "file removed":
        os.unlink(node.dir / "trivet.conf")
    else:
        node.write("trivet.conf", BROKEN)
    if how == "crash":
        proc.kill9()
    else:
        proc.stop()
    again = node.daemon(daemon)
    assert node.status(daemon)["configDigest"] == digest
    assert any("last good" in reason for reason in degraded(node, daemon))
    assert "running the last good configuration" in again.log()


def test_last_good_of_a_stranger(node):
    """A last-good that others may write is not believed."""
    proc = node.daemon("checkd", GOOD)
    proc.stop()
    os.chmod(remembered(node, "checkd"), 0o666)
    again = node.daemon("checkd", "stream {\n", ready=False)
    assert again.wait() == 78
    assert "not trusted" in again.log()


def test_unreadable_at_reload(node):
    """Readable for root at the start only: said at once, and again when it matters."""
    node.write("trivet.conf", GOOD)
    os.chmod(node.dir / "trivet.conf", 0o600)
    proc = node.daemon("checkd")
    assert "a reload will be refused" in proc.log()
    proc.hup()
    proc.wait_log("reload refused, nothing changed: .*trivet.conf")
    assert "Permission denied" in node.status("checkd")["lastReloadError"]


def in_own_mounts(node, daemon, script, text=GOOD):
    """The daemon behind mounts that only it sees; 'script' makes them, with $RUN and $STATE."""
    path = node.write("trivet.conf", text)
    for directory in (node.run_dir, node.state_dir):
        directory.mkdir(mode=0o755)
        os.chmod(directory, 0o755)
    return node.spawn(
        ["unshare", "--mount", "--propagation", "private", "sh", "-ec", f'{script}\nexec "$@"',
         "sh", node.binary(daemon), "-c", path, "--run-dir", node.run_dir,
         "--state-dir", node.state_dir], daemon,
        env={"RUN": str(node.run_dir), "STATE": str(node.state_dir)})


FULL = "mount -t tmpfs -o size=4k,mode=0755 none {0}; head -c 4096 /dev/zero > {0}/fill"
READ_ONLY = "mount --bind {0} {0}; mount -o remount,bind,ro {0}"


def complaints(proc, about):
    return [line for line in proc.log().splitlines()
            if about in line and ("warning: " in line or "error: " in line)]


@pytest.mark.parametrize("daemon", DAEMONS)
def test_full_disk(node, daemon):
    """What cannot be remembered is said once; the service is not refused for it."""
    proc = in_own_mounts(node, daemon, FULL.format("$STATE"))
    node.wait_ready(daemon, proc)
    wait_for(lambda: complaints(proc, "No space left"), "it says so")
    assert proc.stop() == 0
    said = complaints(proc, f"/{daemon}/last-good")
    assert len(said) == 1 and "No space left on device" in said[0]


@contextlib.contextmanager
def frozen(proc, directory):
    """Whoever writes there waits, as for a disk that does not answer (fsfreeze(8))."""
    enter = ["nsenter", "--mount", f"--target={proc.pid}", "fsfreeze"]
    subprocess.run([*enter, "--freeze", directory], check=True)
    try:
        yield
    finally:
        subprocess.run([*enter, "--unfreeze", directory], check=True)


@pytest.mark.skipif(not os.path.exists("/dev/loop-control"), reason="no loop devices")
@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_disk_that_stalls(node, daemon):
    """Nobody waits for it, and what is remembered in the end is the newest."""
    image = node.dir / "disk"
    with open(image, "wb") as file:
        file.truncate(8 << 20)
    node.run(["mkfs.ext4", "-q", image])
    proc = in_own_mounts(node, daemon, f"mount -o loop {image} $STATE")
    node.wait_ready(daemon, proc)
    kept = Path(f"/proc/{proc.pid}/root{remembered(node, daemon)}")
    wait_for(kept.exists, "it remembers its configuration")
    with frozen(proc, node.state_dir):
        for generation in (2, 3):
            node.write("trivet.conf", GOOD.replace("priority 100", f"priority 10{generation}"))
            node.call(daemon, "org.trivet.daemon.control.Reload", timeout=20)
            assert node.status(daemon)["configGeneration"] == generation
        assert "priority 100" in kept.read_text()
    wait_for(lambda: "priority 103" in kept.read_text(), "the newest is remembered")
    assert proc.stop() == 0


def test_full_run_directory(node):
    """vrrpd cannot write down who it is: a crash would not be adopted, and that is said."""
    alone = GOOD[GOOD.index("vrrp_instance"):GOOD.index("    track_check")] + "}\n"
    proc = in_own_mounts(node, "vrrpd", FULL.format("$RUN"), alone)
    proc.wait_log(r"Entering MASTER STATE", timeout=15)
    assert proc.stop() == 0
    said = complaints(proc, "/vrrpd/state")
    assert said and "No space left on device" in said[0] and len(said) <= 3


@pytest.mark.parametrize("daemon", DAEMONS)
@pytest.mark.parametrize("which", ["RUN", "STATE"])
def test_read_only_directories(node, daemon, which):
    """Before the daemon's own directory was made: one line, that names it."""
    proc = in_own_mounts(node, daemon, READ_ONLY.format(f"${which}"))
    assert proc.wait() == 1
    said = complaints(proc, "")
    directory = node.run_dir if which == "RUN" else node.state_dir
    assert len(said) == 1, said
    assert f"{directory}/{daemon}: Read-only file system" in said[0]


def test_link_of_a_stranger(node):
    """A file where the socket's link belongs: root replaces it, the daemon is reached by it."""
    node.run_dir.mkdir(mode=0o755)
    (node.run_dir / "checkd.sock").write_text("in the way")
    node.daemon("checkd", GOOD)
    assert os.readlink(node.run_dir / "checkd.sock") == "checkd/bus"


@pytest.mark.parametrize("env", [{"NOTIFY_SOCKET": "/nowhere/notify"},
                                 {"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "x"},
                                 {"JOURNAL_STREAM": "1:2", "FDSTORE": "-1", "LISTEN_FDS": "x"}],
                         ids=["no-socket", "nonsense-watchdog", "nonsense-rest"])
@pytest.mark.parametrize("daemon", DAEMONS)
def test_service_manager_that_is_not_there(node, daemon, env):
    """It is told things that nobody listens to; the daemon serves all the same, and a stop is one."""
    proc = node.daemon(daemon, GOOD, env=env)
    assert node.status(daemon)["health"] in ("ok", "degraded")
    assert proc.stop() == 0
    assert "stopping" in proc.log()


@pytest.mark.parametrize("daemon", DAEMONS)
def test_systemd_is_not_installed(node, daemon):
    """Its library is loaded when it is needed, and missed only where somebody would listen."""
    broken = node.dir / "lib"
    broken.mkdir()
    (broken / "libsystemd.so.0").touch()
    missed = "without the service manager and its journal: "
    proc = node.daemon(daemon, GOOD, env={"LD_LIBRARY_PATH": str(broken)})
    assert missed not in proc.log()
    proc.stop()
    proc = node.daemon(daemon, GOOD, env={"LD_LIBRARY_PATH": str(broken),
                                          "NOTIFY_SOCKET": "/nowhere/notify"})
    proc.wait_log(missed)
    proc.stop()
    assert proc.log().count(missed) == 1
