"""trivet-runner, driven raw over its socket: who may ask for what, who a script
runs as, and what becomes of scripts that do not behave.
"""

import contextlib
import fcntl
import grp
import os
import pwd
import re
import signal
import socket
import stat
import struct
import time

import pytest

from lab import proc_status, wait_for

EXITED, SIGNALED, TIMEOUT, NOT_RUN = range(4)
ASK = struct.Struct("=IIQq20sHH")
ANSWER = struct.Struct("=IIQqiI")
ASK_MAGIC, ANSWER_MAGIC = 0x74723151, 0x74723141

CONF = """
vrrp_script as_root {{
	script "{dir}/{root}"
	user root
	interval 5
}}
vrrp_script as_nobody {{
	script "{dir}/{nobody}"
	user nobody
	interval 5
}}
vrrp_instance VI_1 {{
	interface lo
	virtual_router_id 51
	priority 100
	virtual_ipaddress {{
		10.4.7.10
	}}
	track_script {{
		as_root
		as_nobody
	}}
	notify "{dir}/{notify}" root
}}
"""
AS_ROOT, AS_NOBODY, NOTIFY = range(3)  # their order in the file


def message(digest, script, id=1, timeout=5.0, args=(), env=(), magic=ASK_MAGIC):
    words = b"".join(w.encode() + b"\0" for w in (*args, *env))
    return ASK.pack(magic, script, id, int(timeout * 1e6), digest.encode().ljust(20, b"\0"),
                    len(args), len(env)) + words


class Answer:
    def __init__(self, data):
        magic, self.outcome, self.id, self.duration_us, self.code, _ = ANSWER.unpack_from(data)
        assert magic == ANSWER_MAGIC
        self.reason, self.output, self.last_line = data[ANSWER.size:].decode().split("\0")[:3]

    def __repr__(self):
        return str(vars(self))


@contextlib.contextmanager
def as_user(uid, gid):
    """connect() as somebody else: SO_PEERCRED shows the effective ids of that moment."""
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


class Client:
    def __init__(self, path, user=None):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(20)
        if user is None:
            self.sock.connect(str(path))
            return
        with as_user(pwd.getpwnam(user).pw_uid, grp.getgrnam("_trivet").gr_gid):
            self.sock.connect(str(path))

    def send(self, data):
        self.sock.send(data)

    def receive(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        return Answer(data)

    def run(self, *args, **kwargs):
        self.send(message(*args, **kwargs))
        return self.receive()


class Runner:
    """A node with a runner that serves three scripts."""

    def __init__(self, lab):
        lab.switch()
        self.node = lab.node("r1")
        self.node.run_dir.mkdir()
        for name in ("root.sh", "nobody.sh", "notify.sh"):
            self.script(name, "exit 0")
        self.configure()
        self.proc = self.start()
        self.digest = self.digests()[-1]

    def script(self, name, body, mode=0o755):
        return self.node.script(name, "#!/bin/sh\n" + body + "\n", mode)

    def configure(self, **names):
        names = {"root": "root.sh", "nobody": "nobody.sh", "notify": "notify.sh", **names}
        return self.node.write("trivet.conf", CONF.format(dir=self.node.dir, **names))

    def start(self, ready=True):
        node = self.node
        proc = node.spawn([node.binary("trivet-runner"), "-v", "-c", node.dir / "trivet.conf",
                           "--run-dir", node.run_dir, "--state-dir", node.state_dir])
        if ready:
            wait_for(lambda: self.connects() or not proc.alive(), "the runner answers")
            assert proc.alive(), proc.log()
        return proc

    def connects(self):
        try:
            Client(self.path)
        except OSError:
            return False
        return True

    @property
    def path(self):
        return self.node.run_dir / "runner.sock"

    def digests(self):
        return re.findall(r"digest ([0-9a-f]{16})", self.proc.log())

    def client(self, user=None):
        return Client(self.path, user)

    def run(self, script, **kwargs):
        return self.client().run(self.digest, script, **kwargs)

    def children(self):
        return open(f"/proc/{self.proc.pid}/task/{self.proc.pid}/children").read().split()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.proc.pid}/fd"))


@pytest.fixture
def runner(lab):
    return Runner(lab)


def alive(pid):
    try:
        return proc_status(pid)["State"][0] not in "ZX"
    except FileNotFoundError:
        return False


# ---- what a script gets ----


def test_exit_status_and_output(runner):
    runner.script("root.sh", "echo looking; echo Port 7443 Is Not Used,End. >&2; exit 3")
    answer = runner.run(AS_ROOT, id=0x1234567890)
    assert answer.id == 0x1234567890
    assert (answer.outcome, answer.code) == (EXITED, 3)
    assert answer.output == "looking\nPort 7443 Is Not Used,End."
    assert answer.last_line == "Port 7443 Is Not Used,End."
    assert answer.reason == "" and answer.duration_us > 0


def test_a_signal_is_told(runner):
    runner.script("root.sh", "kill -9 $$")
    answer = runner.run(AS_ROOT)
    assert (answer.outcome, answer.code) == (SIGNALED, signal.SIGKILL)


def test_clean_environment(runner):
    runner.script("notify.sh", f"env > {runner.node.dir}/env; pwd -P >> {runner.node.dir}/env; "
                  f"readlink /proc/self/fd/0 >> {runner.node.dir}/env; umask >> "
                  f"{runner.node.dir}/env; echo \"$@\" >> {runner.node.dir}/env; "
                  f"ls /proc/self/fd >> {runner.node.dir}/env")
    answer = runner.run(NOTIFY, args=("INSTANCE", "VI_1", "MASTER", "100"),
                        env=("TRIVET_INSTANCE=VI_1", "TRIVET_REASON=no advert; $(id) `id`"))
    assert (answer.outcome, answer.code) == (EXITED, 0), answer
    lines = (runner.node.dir / "env").read_text().splitlines()
    env = dict(line.split("=", 1) for line in lines if "=" in line)
    env.pop("_", None), env.pop("PWD", None), env.pop("SHLVL", None)  # the shell's own
    env.pop("OLDPWD", None)
    assert env == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh",
        "LANG": "C.UTF-8", "TRIVET_INSTANCE": "VI_1",
        "TRIVET_REASON": "no advert; $(id) `id`"}
    rest = [line for line in lines if "=" not in line]
    assert rest[:4] == ["/", "/dev/null", "0022", "INSTANCE VI_1 MASTER 100"]
    # 0, 1, 2, and the directory that ls has opened
    assert rest[4:] == ["0", "1", "2", "3"]




def run_status(runner, name, script):
    """/proc/self/status as a script of that user sees it, in two runs: output is bounded."""
    seen = {}
    for words in ("Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapAmb", "NoNewPrivs|SigIgn|SigBlk"):
        runner.script(name, f"grep -E '^({words})' /proc/self/status; "
                      "echo Pgid:$(ps -o pgid= -p $$); echo Pid:$$")
        answer = runner.run(script)
        assert (answer.outcome, answer.code) == (EXITED, 0), answer
        seen |= dict((k, v.split()) for k, _, v in
                     (line.partition(":") for line in answer.output.splitlines()))
    return seen


def test_another_user_has_no_capability(runner):
    nobody = pwd.getpwnam("nobody")
    seen = run_status(runner, "nobody.sh", AS_NOBODY)
    assert seen["Uid"] == [str(nobody.pw_uid)] * 4
    assert seen["Gid"] == [str(nobody.pw_gid)] * 4
    assert seen["Groups"] == [str(nobody.pw_gid)]
    for caps in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(seen[caps][0], 16) == 0, caps
    # 32 and 33 are the C library's own; posix_spawn(3) leaves them ignored (by make, say).
    assert int(seen["SigIgn"][0], 16) & ~(3 << 31) == 0 and int(seen["SigBlk"][0], 16) == 0
    assert seen["Pgid"] == seen["Pid"]


def test_another_user_from_an_ambient_set(lab):
    """A plain setuid leaves ambient capabilities in place: here the runner itself has some."""
    runner = Runner(lab)
    runner.proc.stop()
    binary = runner.node.binary("trivet-runner")
    proc = runner.node.spawn(
        ["capsh", "--inh=cap_net_admin,cap_net_raw", "--addamb=cap_net_admin,cap_net_raw", "--",
         "-c", f"exec {binary} -v -c {runner.node.dir}/trivet.conf --run-dir "
         f"{runner.node.run_dir} --state-dir {runner.node.state_dir}"])
    wait_for(lambda: runner.connects() or not proc.alive(), "the runner answers")
    assert int(proc_status(proc.pid)["CapAmb"], 16) != 0, "the premise of this test"
    seen = run_status(runner, "nobody.sh", AS_NOBODY)
    for caps in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(seen[caps][0], 16) == 0, caps
    seen = run_status(runner, "root.sh", AS_ROOT)
    for caps in ("CapInh", "CapAmb"):
        assert int(seen[caps][0], 16) == 0, caps


def test_root_has_roots_capabilities(runner):
    seen = run_status(runner, "root.sh", AS_ROOT)
    assert seen["Uid"] == ["0"] * 4
    mine = proc_status(runner.proc.pid)
    assert seen["CapEff"][0] == mine["CapEff"] and int(mine["CapEff"], 16) != 0
    assert int(seen["CapInh"][0], 16) == 0 and int(seen["CapAmb"][0], 16) == 0
    assert seen["NoNewPrivs"] == ["0"]  # people's scripts use sudo and ping


# ---- who may ask for what ----


@pytest.mark.parametrize("user, script, allowed", [
    ("_trivet-checkd", AS_ROOT, True),
    ("_trivet-checkd", AS_NOBODY, True),
    ("_trivet-checkd", NOTIFY, False),
    ("_trivet-vrrpd", NOTIFY, True),
    ("_trivet-vrrpd", AS_ROOT, False),
    (None, AS_ROOT, True),
    (None, NOTIFY, True),
])
def test_rights_by_uid(runner, user, script, allowed):
    answer = runner.client(user).run(runner.digest, script)
    assert answer.outcome == (EXITED if allowed else NOT_RUN)
    assert answer.reason == ("" if allowed else "this daemon may not start it")


def test_strangers_are_refused(runner):
    mode = os.stat(runner.path)
    assert stat.S_IMODE(mode.st_mode) == 0o660
    assert (mode.st_uid, mode.st_gid) == (0, grp.getgrnam("_trivet").gr_gid)
    client = runner.client("_trivet-proxyd")  # of the group, but with no business here
    with pytest.raises((EOFError, ConnectionError)):
        client.run(runner.digest, AS_ROOT)
    runner.proc.wait_log("refused")
    with pytest.raises(PermissionError), as_user(65534, 65534):
        Client(runner.path)


@pytest.mark.parametrize("what, data", [
    ("nothing of ours", b"GET / HTTP/1.0\r\n\r\n"),
    ("one byte", b"x"),
    ("another magic", message("0" * 16, 0, magic=ASK_MAGIC + 1)),
    ("a digest without end", ASK.pack(ASK_MAGIC, 0, 1, 1000000, b"x" * 20, 0, 0)),
    ("fewer words than said", ASK.pack(ASK_MAGIC, 0, 1, 1000000, b"x", 3, 0) + b"a\0"),
    ("more than said", message("0" * 16, 0) + b"rest\0"),
    ("too many words", ASK.pack(ASK_MAGIC, 0, 1, 1000000, b"x", 9, 0) + b"a\0" * 9),
    ("too long", message("0" * 16, 0) + b"x" * 40000),
])
def test_malformed_requests_end_the_connection(runner, what, data):
    client = runner.client()
    client.send(data)
    with pytest.raises((EOFError, ConnectionError)):
        client.receive()
    assert runner.run(AS_ROOT).outcome == EXITED  # and nothing else happened


@pytest.mark.parametrize("what, script, words, reason", [
    ("a number past the end", 99, {}, "there is no such script"),
    ("words for a check", AS_ROOT, {"args": ("-rf", "/")}, "takes no further words"),
    ("a path variable", NOTIFY, {"env": ("PATH=/tmp",)}, "not allowed"),
    ("a preload", NOTIFY, {"env": ("LD_PRELOAD=/tmp/x.so",)}, "not allowed"),
    ("a function", NOTIFY, {"env": ("TRIVET_X%%=() { :; }",)}, "not allowed"),
    ("a second line", NOTIFY, {"args": ("VI_1\nroot",)}, "not allowed"),
    ("a word too long", NOTIFY, {"args": ("x" * 256,)}, "not allowed"),
    ("no time at all", AS_ROOT, {"timeout": 0}, "not allowed"),
    ("time without end", AS_ROOT, {"timeout": 1e8}, "not allowed"),
])
def test_words_that_are_not_allowed(runner, what, script, words, reason):
    answer = runner.run(script, **words)
    assert answer.outcome == NOT_RUN
    assert reason in answer.reason


# ---- scripts that do not behave ----


def test_a_timeout_counts_when_it_happens(runner):
    """TERM is trapped, and the script ends with 0 later: it has failed all the same."""
    runner.script("root.sh", f"trap 'sleep 1; touch {runner.node.dir}/trapped; exit 0' TERM\n"
                  "echo waiting\nwhile :; do sleep 0.05; done")
    client = runner.client()
    answer = client.run(runner.digest, AS_ROOT, timeout=0.5)
    assert answer.outcome == TIMEOUT
    assert not (runner.node.dir / "trapped").exists()  # told before the trap is done
    assert answer.duration_us >= 500_000
    assert answer.reason == "timeout after 0.5 s" and answer.last_line == "waiting"
    wait_for((runner.node.dir / "trapped").exists, "the trap ran")
    wait_for(lambda: not runner.children(), "it is reaped")
    client.sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.receive()  # there is no second answer


def test_the_group_is_killed(runner):
    """Everybody in it ignores TERM."""
    pids = runner.node.dir / "pids"
    runner.script("root.sh", "trap '' TERM\nsh -c 'trap \"\" TERM; echo $$ >> " + str(pids) +
                  "; while :; do sleep 1; done' &\necho $$ >> " + str(pids) +
                  "\nwhile :; do sleep 1; done")
    answer = runner.run(AS_ROOT, timeout=1.0)
    assert answer.outcome == TIMEOUT
    found = [int(pid) for pid in pids.read_text().split()]
    assert len(found) == 2
    began = time.monotonic()
    wait_for(lambda: not any(alive(pid) for pid in found), "the group has ended", timeout=5)
    assert time.monotonic() - began > 1.0  # KILL came after a grace
    wait_for(lambda: not runner.children(), "all are reaped")


def test_the_next_run_waits_for_the_last(runner):
    log = runner.node.dir / "log"
    runner.script("root.sh", f"trap 'sleep 0.5; echo end >> {log}; exit 0' TERM\n"
                  f"echo begin >> {log}\n[ -e {log}.second ] && exit 0\ntouch {log}.second\n"
                  "while :; do sleep 0.05; done")
    client = runner.client()
    assert client.run(runner.digest, AS_ROOT, id=1, timeout=0.3).outcome == TIMEOUT
    answer = client.run(runner.digest, AS_ROOT, id=2)
    assert (answer.id, answer.outcome, answer.code) == (2, EXITED, 0)
    assert log.read_text().split() == ["begin", "end", "begin"]


def test_who_asks_too_often_is_refused(runner):
    """One run that is on, one that waits: a third would only grow old."""
    go = runner.node.dir / "go"
    runner.script("root.sh", f"while [ ! -e {go} ]; do sleep 0.02; done")
    client = runner.client()
    for id in 1, 2, 3:
        client.send(message(runner.digest, AS_ROOT, id=id, timeout=60.0))
    answer = client.receive()
    assert (answer.id, answer.outcome, answer.reason) == (
        3, NOT_RUN, "its run before has not ended yet")
    go.touch()
    assert [(a.id, a.outcome) for a in (client.receive(), client.receive())] == [
        (1, EXITED), (2, EXITED)]


def test_what_a_check_leaves_behind(runner):
    """In its group: ended with it.  Out of it (a daemon): it does not hold the result up."""
    pids = runner.node.dir / "pids"
    runner.script("root.sh", f"sleep 1000 &\necho $! > {pids}\n"
                  f"setsid sh -c 'echo $$ >> {pids}; exec sleep 1001' &\n"
                  f"while [ $(wc -l < {pids}) -lt 2 ]; do sleep 0.01; done\necho started; exit 0")
    answer = runner.run(AS_ROOT, timeout=10)
    assert (answer.outcome, answer.code, answer.last_line) == (EXITED, 0, "started")
    assert answer.duration_us < 9_000_000
    inside, outside = (int(pid) for pid in pids.read_text().split())
    wait_for(lambda: not alive(inside), "the one in the group has ended")
    assert alive(outside)
    os.kill(outside, signal.SIGKILL)
    wait_for(lambda: not runner.children(), "no zombie stays")


def test_what_a_notify_script_leaves_behind_stays(runner):
    pids = runner.node.dir / "pids"
    runner.script("notify.sh", f"sleep 1000 & echo $! > {pids}; exit 0")
    assert runner.run(NOTIFY).code == 0
    left = int(pids.read_text())
    assert runner.run(AS_ROOT).outcome == EXITED  # a later turn of the loop
    assert alive(left)
    os.kill(left, signal.SIGKILL)


def test_output_is_bounded(runner):
    runner.script("root.sh", "head -c 20000000 /dev/zero | tr '\\0' 'x'; echo; "
                  "printf '\\377\\033[31mthe end'; exit 1")
    answer = runner.run(AS_ROOT, timeout=20)
    assert (answer.outcome, answer.code) == (EXITED, 1)
    assert answer.output == "x" * 512
    assert answer.last_line == "? [31mthe end"


def test_endless_output_does_not_starve_others(runner):
    runner.script("root.sh", "exec yes")
    client = runner.client()
    client.send(message(runner.digest, AS_ROOT, id=1, timeout=3.0))
    answer = runner.run(AS_NOBODY, id=2)
    assert (answer.id, answer.outcome) == (2, EXITED)
    assert client.receive().outcome == TIMEOUT


def test_nothing_is_left_of_many_runs(runner):
    client = runner.client()
    client.run(runner.digest, AS_ROOT)
    before = runner.descriptors()
    for i in range(30):
        assert client.run(runner.digest, AS_ROOT, id=i).outcome == EXITED
    wait_for(lambda: not runner.children(), "no zombie stays")
    assert runner.descriptors() <= before + 1


def test_a_check_whose_daemon_is_gone_ends(runner):
    pid = runner.node.dir / "pid"
    runner.script("root.sh", f"echo $$ > {pid}; exec sleep 1000")
    client = runner.client()
    client.send(message(runner.digest, AS_ROOT, timeout=600))
    wait_for(lambda: pid.exists() and pid.read_text(), "it runs")
    client.sock.close()
    wait_for(lambda: not alive(int(pid.read_text())), "it has ended")


def test_scripts_end_with_a_killed_runner(runner):
    pid = runner.node.dir / "pid"
    runner.script("nobody.sh", "echo $$; exec sleep 1000")
    runner.script("root.sh", f"echo $$ > {pid}; exec sleep 1000")
    client = runner.client()
    client.send(message(runner.digest, AS_ROOT, timeout=600))
    wait_for(lambda: pid.exists() and pid.read_text(), "it runs")
    runner.proc.kill9()
    wait_for(lambda: not alive(int(pid.read_text())), "it has ended")


@contextlib.contextmanager
def leased(path):
    """Nobody gets to open or execute it: who wants to waits for us, who never answer."""
    fd = os.open(path, os.O_RDWR)
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    try:
        yield
    finally:
        os.close(fd)
        signal.signal(signal.SIGIO, before)


def test_who_owns_a_script_cannot_hold_up_the_runner(runner):
    os.chown(runner.node.dir / "nobody.sh", 65534, 65534)
    client = runner.client()
    with leased(runner.node.dir / "nobody.sh"):
        client.send(message(runner.digest, AS_NOBODY, id=1, timeout=2))
        client.send(message(runner.digest, AS_ROOT, id=2, timeout=60))
        first, second = client.receive(), client.receive()
    assert (first.id, first.outcome) == (2, EXITED)
    assert (second.id, second.outcome) == (1, TIMEOUT)
    wait_for(lambda: not runner.children(), "nothing is left of it")


def test_a_runner_that_is_held_up_ends(runner):
    """What could only be root's doing, or that of a dead file system."""
    with leased(runner.node.dir / "root.sh"):
        runner.client().send(message(runner.digest, AS_ROOT, timeout=60))
        wait_for(lambda: not runner.proc.alive(), "it ends by its own alarm", timeout=60)
    assert runner.proc.wait(10) == -signal.SIGALRM


# ---- what may not be run at all ----


@pytest.mark.parametrize("what, prepare, reason", [
    ("missing", lambda r: os.unlink(r.node.dir / "root.sh"), r"root\.sh does not exist$"),
    ("not executable", lambda r: os.chmod(r.node.dir / "root.sh", 0o644),
     r"root\.sh is not executable$"),
    ("writable by a group", lambda r: (os.chown(r.node.dir / "root.sh", 0, 100),
                                       os.chmod(r.node.dir / "root.sh", 0o775)),
     r"root\.sh is writable by group users$"),
    ("writable by all", lambda r: os.chmod(r.node.dir / "root.sh", 0o757),
     r"root\.sh is writable by everybody$"),
    ("somebody's", lambda r: os.chown(r.node.dir / "root.sh", 65534, 0),
     r"root\.sh is owned by user nobody$"),
    ("in somebody's directory", lambda r: os.chown(r.node.dir, 65534, 0),
     r"/r1 is owned by user nobody$"),
    ("no interpreter", lambda r: r.node.script("root.sh", "#!/no/such/sh\n"),
     r"cannot execute .*root\.sh: the interpreter of its #! line does not exist$"),
    ("no program", lambda r: r.node.script("root.sh", "exit 0\n"),
     r"cannot execute .*root\.sh: no program, and no #! line$"),
    ("a directory", lambda r: (os.unlink(r.node.dir / "root.sh"),
                               os.mkdir(r.node.dir / "root.sh")), r"root\.sh is a directory$"),
])
def test_it_fails_closed_and_says_why(runner, what, prepare, reason):
    prepare(runner)
    answer = runner.run(AS_ROOT)
    assert answer.outcome == NOT_RUN
    assert re.search(reason, answer.reason), answer.reason
    wait_for(lambda: not runner.children(), "nothing is left of it")


def test_another_users_script_may_be_his_own(runner):
    os.chown(runner.node.dir / "nobody.sh", 65534, 65534)
    assert runner.run(AS_NOBODY).outcome == EXITED


def test_no_permission_for_that_user(runner):
    os.chmod(runner.node.dir / "nobody.sh", 0o700)  # root's
    answer = runner.run(AS_NOBODY)
    assert answer.outcome == NOT_RUN
    assert answer.reason.endswith("nobody.sh as user nobody: Permission denied")


@pytest.mark.parametrize("words, reason", [
    ("user _trivet-nobody", "no such user: _trivet-nobody"),
    ("user nobody _trivet-none", "no such group: _trivet-none"),
])
def test_nobody_of_that_name(runner, words, reason):
    text = (runner.node.dir / "trivet.conf").read_text()
    runner.node.write("trivet.conf", text.replace("user nobody", words))
    runner.proc.hup()
    wait_for(lambda: len(set(runner.digests())) == 2, "it is read again")
    answer = runner.client().run(runner.digests()[-1], AS_NOBODY)
    assert answer.outcome == NOT_RUN and answer.reason == reason


# ---- configurations ----


def test_a_changed_file_is_read_when_asked_for(lab):
    runner = Runner(lab)
    old = runner.digest
    runner.script("other.sh", "echo other")
    runner.configure(root="other.sh")
    # Another runner, to learn the digest that a reloaded daemon would name.
    other = runner.node.spawn([runner.node.binary("trivet-runner"), "-c",
                               runner.node.dir / "trivet.conf", "--run-dir",
                               runner.node.dir / "other", "--state-dir",
                               runner.node.dir / "otherstate"], "other")
    new = other.wait_log(r"digest ([0-9a-f]{16})").group(1)
    assert new != old
    assert runner.client().run(new, AS_ROOT).last_line == "other"
    assert runner.client().run(old, AS_ROOT).last_line == ""  # vrrpd has not reloaded yet


def test_an_unknown_digest(runner):
    answer = runner.client().run("0123456789abcdef", AS_ROOT)
    assert answer.outcome == NOT_RUN
    assert answer.reason == "the runner does not know this configuration"


def test_a_broken_file_at_a_restart(runner):
    runner.proc.stop()
    runner.node.write("trivet.conf", "vrrp_script broken {\n")
    runner.proc = runner.start()
    assert runner.run(AS_ROOT).outcome == EXITED
    runner.proc.stop()
    (runner.node.dir / "trivet.conf").unlink()
    runner.proc = runner.start()
    assert runner.run(AS_ROOT).outcome == EXITED


@pytest.mark.parametrize("what, spoil, says", [
    ("as shipped", lambda path: os.chmod(path, 0o640), None),
    ("a group", lambda path: os.chmod(path, 0o660), "is writable by others than root"),
    ("everybody", lambda path: os.chmod(path, 0o646), "is writable by others than root"),
    ("an owner", lambda path: os.chown(path, 65534, 0), "is owned by user 65534"),
])
def test_who_else_can_write_the_configuration(runner, what, spoil, says):
    read = len(runner.digests())
    runner.node.write("included.conf", "# nothing\n")
    spoil(runner.node.dir / "included.conf")
    conf = runner.node.dir / "trivet.conf"
    runner.node.write("trivet.conf", conf.read_text() + "include included.conf\n")
    runner.proc.hup()
    wait_for(lambda: len(runner.digests()) > read, "it is read again")
    if says is None:
        assert "who can have scripts run as root" not in runner.proc.log()
    else:
        assert f"included.conf: {says}" in runner.proc.log()


def test_no_file_at_all(lab):
    lab.switch()
    node = lab.node("r1")
    proc = node.spawn([node.binary("trivet-runner"), "-c", node.dir / "none.conf", "--run-dir",
                       node.run_dir, "--state-dir", node.state_dir])
    assert proc.wait() == 78
    assert "no configuration to take scripts from" in proc.log()


def test_one_runner_a_node(runner):
    second = runner.start(ready=False)
    assert second.wait() == 1
    assert "a running trivet-runner serves it already" in second.log()
    assert runner.run(AS_ROOT).outcome == EXITED
    runner.proc.kill9()  # leaves its socket behind
    runner.proc = runner.start()
    assert runner.run(AS_ROOT).outcome == EXITED


def test_stop_waits_for_notify_scripts(runner):
    done = runner.node.dir / "done"
    runner.script("notify.sh", f"touch {done}.begun; "
                  f"while [ ! -e {runner.node.dir}/go ]; do sleep 0.02; done; touch {done}")
    client = runner.client()
    client.send(message(runner.digest, NOTIFY))
    wait_for((runner.node.dir / "done.begun").exists, "it runs")
    runner.proc.kill(signal.SIGTERM)
    runner.proc.wait_log("stopping: ")
    answer = client.run(runner.digest, AS_ROOT, id=2)
    assert (answer.id, answer.outcome, answer.reason) == (2, NOT_RUN, "the runner is stopping")
    (runner.node.dir / "go").touch()
    assert runner.proc.wait() == 0
    assert done.exists()


@pytest.mark.parametrize("args, code", [
    (["--version"], 0), (["--help"], 0), (["--fd", "3"], 2), (["--for", "checkd"], 2),
    (["--fd", "x", "--for", "checkd"], 2), (["--fd", "3", "--for", "proxyd"], 2), (["extra"], 2),
    (["--unknown"], 2),
])
def test_usage(lab, args, code):
    lab.switch()
    node = lab.node("r1")
    assert node.run([node.binary("trivet-runner"), *args], check=False).returncode == code
