"""Network namespaces with names, as ip-netns(8) makes and finds them, by the same system calls and
without a process for each step: that would be most of what a test costs.

	netns.make("tl1-r1")
	with netns.inside("tl1-r1"):
		sock = socket.socket()          # stays there
	done = netns.run_in("tl1-r1", lambda: subprocess.run(["ss", "-ltn"]))
	netns.kill("tl1-r1")
	netns.remove("tl1-r1")

Errors are OSError.  Namespaces belong to threads: inside() moves the calling one.
"""

import contextlib
import ctypes
import functools
import os
import queue
import signal
import subprocess
import threading
import time
from pathlib import Path

NAMED = Path("/run/netns")
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_SLAVE = 0x1000, 0x4000, 0x80000
MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *args):
    """A system call by its name in libc."""
    args = [os.fsencode(a) if isinstance(a, (str, Path)) else a for a in args]
    if getattr(_libc, function)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def _mount(source, target, kind="none", flags=0):
    _call("mount", source, target, kind, ctypes.c_ulong(flags), None)


def in_thread(function):
    """What function() returns or raises, in a thread of its own: what it does to itself ends there.

    Of a process that it returns it stays the parent to the end: one that set PR_SET_PDEATHSIG,
    as our daemons do below a supervisor, gets that signal when the thread that started it ends.
    """
    result = queue.SimpleQueue()

    def body():
        try:
            value = function()
        except BaseException as error:  # the caller's to handle, whatever it is
            result.put((None, error))
            return
        result.put((value, None))
        if isinstance(value, subprocess.Popen):
            with contextlib.suppress(ChildProcessError):  # another one has asked for its status
                os.waitid(os.P_PID, value.pid, os.WEXITED | os.WNOWAIT)
    threading.Thread(target=body, daemon=True).start()
    value, error = result.get()
    if error is not None:
        raise error
    return value


def names():
    try:
        return os.listdir(NAMED)
    except FileNotFoundError:
        return []


@functools.cache
def _prepare():
    """The place of the names: a mount point, shared with every mount namespace.  ip makes it."""
    if f" {NAMED} " not in Path("/proc/self/mountinfo").read_text():
        scratch = f"tl{os.getpid()}-first"
        for verb in ("add", "del"):
            subprocess.run(["ip", "netns", verb, scratch], check=True)


def make(name):
    _prepare()
    os.close(os.open(NAMED / name, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0))

    def body():
        _call("unshare", CLONE_NEWNET)
        _mount("/proc/thread-self/ns/net", NAMED / name, flags=MS_BIND)
    in_thread(body)


def remove(name):
    """The name; the namespace goes with the last process and socket in it.  One that is not there is no error."""
    with contextlib.suppress(OSError):
        _call("umount2", NAMED / name, MNT_DETACH)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(NAMED / name)


def _enter(path):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("setns", fd, CLONE_NEWNET)
    finally:
        os.close(fd)


@contextlib.contextmanager
def inside(name):
    """This thread in that network; sockets made meanwhile stay there."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(NAMED / name)
        yield
    finally:
        _call("setns", here, CLONE_NEWNET)
        os.close(here)


def run_in(name, function):
    """What function() returns, in a thread that sees what `ip netns exec` shows a program: the
    network, its devices in /sys, the files of /etc/netns/NAME in /etc.  So do processes it starts."""
    def body():
        _enter(NAMED / name)
        _call("unshare", CLONE_NEWNS)
        _mount("", "/", flags=MS_SLAVE | MS_REC)
        with contextlib.suppress(OSError):
            _call("umount2", "/sys", MNT_DETACH)
        _mount(name, "/sys", "sysfs")
        for file in Path("/etc/netns", name).glob("*"):
            with contextlib.suppress(OSError):
                _mount(file, Path("/etc", file.name), flags=MS_BIND)
        return function()
    return in_thread(body)


def alive(pid):
    """Runs and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def pids(name):
    """The processes whose network this is."""
    found = []
    try:
        wanted = os.stat(NAMED / name)
    except FileNotFoundError:
        return found
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if os.path.samestat(os.stat(f"/proc/{entry}/ns/net"), wanted):
                    found.append(int(entry))
    return [pid for pid in found if alive(pid)]


def kill(name):
    """End every process in there.  Frozen first, so that none sees another die."""
    for _ in range(50):
        living = pids(name)
        if not living:
            return
        for sig in (signal.SIGSTOP, signal.SIGKILL):
            for pid in living:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sig)
        time.sleep(0.01)
