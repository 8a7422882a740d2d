"""A machine with a real systemd as process 1, in a container: where the packages
are installed and their units run as they will run at people's.

systemd-nspawn does the work, without machined and D-Bus on the host.  The root
is a minimal Debian made by mmdebstrap, kept as a tar below TRIVET_LAB_CACHE
(default /var/cache/trivet-lab; made anew when it is not there), and each
container has it as the lower layer of an overlay.  Network: lo, and what a test
makes inside; or a namespace that the test has made (tests/net/lab.py), so that
machines, clients and servers share a switch.  Everything goes at the end.
"""

import atexit
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import time
from pathlib import Path

SUITE = os.environ.get("TRIVET_SUITE", "bookworm")
CACHE = Path(os.environ.get("TRIVET_LAB_CACHE", "/var/cache/trivet-lab"))
WORK = Path("/var/tmp/trivet-systemd")  # with the process id: a disk, not a tmpfs, for overlays
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")

# systemd as process 1, what trivet's packages depend on, what the tests look with.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "apt", "iproute2", "procps", "psmisc", "libuv1",
            "libjansson4", "libmnl0", "libcap2", "libcurl4", "ca-certificates", "logrotate")

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "dumb",
               "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}

# In a mount namespace of its own: systemd wants a pure cgroup2 tree, a host may have
# the hybrid one; then become nspawn.  --keep-unit and --register=no: no systemd here.
# nspawn grants CAP_NET_ADMIN with --private-network; the tests' daemons need raw sockets too.
BOOT = """
set -e
root=$1 name=$2 network=$3
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
	umount -R /sys/fs/cgroup
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
mkdir -p "/sys/fs/cgroup/$name"
echo $$ > "/sys/fs/cgroup/$name/cgroup.procs"
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
exec systemd-nspawn --quiet --directory="$root" --machine="$name" --register=no --keep-unit \\
	"$network" --capability=all --resolv-conf=off --timezone=off --link-journal=no \\
	--console=pipe --boot
"""


def sources():
    """Where the host's packages come from; of the other suite, if another one is asked for."""
    text = SOURCES.read_text() if SOURCES.exists() else ""
    host = platform.freedesktop_os_release().get("VERSION_CODENAME", SUITE)
    return text.replace(host, SUITE)


def base_tar():
    """The minimal Debian's tar; made when the cache has none."""
    recipe = hashlib.sha256(" ".join((SUITE,) + PACKAGES).encode()).hexdigest()[:8]
    tar = CACHE / f"base-{SUITE}-{recipe}.tar"
    if tar.exists():
        return tar
    CACHE.mkdir(parents=True, exist_ok=True)
    new = tar.with_name(f".{os.getpid()}.{tar.name}")
    argv = ["mmdebstrap", "--quiet", "--variant=essential", f"--include={','.join(PACKAGES)}",
            "--aptopt=Acquire::Check-Valid-Until \"false\""]
    argv += [f"--dpkgopt=path-exclude=/usr/share/{junk}/*" for junk in ("man", "doc", "locale")]
    argv += ["--dpkgopt=force-unsafe-io"]  # a power cut would cost a tar
    argv += [SUITE, str(new)] + (["-"] if SOURCES.exists() else [])
    try:
        subprocess.run(argv, check=True, timeout=1200, text=True, input=sources())
        os.rename(new, tar)
    finally:
        new.unlink(missing_ok=True)
    return tar


def workplace():
    """A fresh directory for containers; those of dead runs are removed."""
    for old in WORK.parent.glob(f"{WORK.name}-*"):
        pid = old.name.rpartition("-")[2]
        if not Path(f"/proc/{pid}").exists():
            for root in old.glob("*/root"):
                subprocess.run(["umount", str(root)], check=False, capture_output=True)
            shutil.rmtree(old, ignore_errors=True)
    mine = WORK.with_name(f"{WORK.name}-{os.getpid()}")
    mine.mkdir()
    return mine


class Container:
    """One booted machine.  Use as a context manager."""

    def __init__(self, directory, name="n1", netns=None):
        self.dir = Path(directory)
        self.name = f"trivet-{os.getpid()}-{name}"
        self.root = self.dir / name / "root"
        self.console = self.dir / name / "console"
        self.network = f"--network-namespace-path=/run/netns/{netns}" if netns \
            else "--private-network"
        self.nspawn = None
        self.leader = None
        self._mounted = False
        atexit.register(self.close)

    def __enter__(self):
        self.lay()
        self.boot()
        return self

    def __exit__(self, *_):
        self.close()

    def lay(self):
        """The root: the unpacked base below, this container's changes above."""
        base = self.dir / "base"
        if not base.exists():
            base.mkdir(parents=True)
            subprocess.run(["tar", "-C", str(base), "-xf", str(base_tar())], check=True)
        upper, work = self.root.with_name("upper"), self.root.with_name("work")
        for path in (self.root, upper, work):
            path.mkdir(parents=True)
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir={base},upperdir={upper},workdir={work}", str(self.root)],
                       check=True)
        self._mounted = True
        # Its disk does not outlive it.
        (self.root / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
        # The container has no modules to load; a failed unit would hide ours.
        mask = self.root / "etc/systemd/system/systemd-modules-load.service"
        if not mask.is_symlink():
            mask.symlink_to("/dev/null")

    def boot(self, timeout=60):
        """Until systemd says the boot is done."""
        with open(self.console, "ab") as console:
            self.nspawn = subprocess.Popen(
                # Dies with us, and takes the machine along.
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "sh", "-c", BOOT, "boot",
                 str(self.root), self.name, self.network],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True)
        limit = time.monotonic() + timeout
        while time.monotonic() < limit:
            if self.nspawn.poll() is not None:
                break
            self.leader = self.leader or self._find_leader()
            if self.leader and self.run("systemctl", "is-system-running",
                                        check=False).stdout.strip() in ("running", "degraded"):
                return
            time.sleep(0.1)
        raise AssertionError(f"{self.name} did not boot:\n{self.console.read_text()[-3000:]}")

    def _find_leader(self):
        """The container's process 1 as the host sees it: nspawn's child in other namespaces."""
        try:
            pid = self.nspawn.pid
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            ours = os.readlink("/proc/self/ns/pid")
            return next((int(c) for c in children if os.readlink(f"/proc/{c}/ns/pid") != ours),
                        None)
        except OSError:
            return None

    def run(self, *argv, check=True, timeout=120, input=None):
        done = subprocess.run(
            ["nsenter", "--target", str(self.leader), "--all", "--", "env", "-i",
             *[f"{k}={v}" for k, v in ENVIRONMENT.items()], *map(str, argv)],
            capture_output=True, text=True, timeout=timeout, input=input, errors="replace",
            start_new_session=True)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def sh(self, script, **more):
        return self.run("sh", "-c", script, **more)

    def show(self, unit, name):
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit).stdout.strip()

    def journal(self, unit):
        return self.run("journalctl", "-b", "-o", "cat", "--no-pager", "-u", unit).stdout

    def power_cut(self):
        """Everything in it ends at once, and nothing of it comes back."""
        self.nspawn.kill()
        self.nspawn.wait()

    def close(self):
        """Power off, then by force; unmount; remove.  May be called again."""
        atexit.unregister(self.close)
        if self.nspawn is not None:
            if self.leader and self.nspawn.poll() is None:
                try:
                    os.kill(self.leader, signal.SIGRTMIN + 3)  # systemd: power off
                    self.nspawn.wait(15)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    pass
            if self.nspawn.poll() is None:
                self.nspawn.kill()  # process 1 dies with nspawn
            self.nspawn.wait()
            self.nspawn = None
        if self._mounted:
            subprocess.run(["umount", str(self.root)], check=False)
            self._mounted = False
        for tree in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
            group = Path(tree) / self.name
            if group.is_dir():
                for path, _, _ in os.walk(group, topdown=False):
                    try:
                        os.rmdir(path)
                    except OSError:
                        pass
        shutil.rmtree(self.root.parent, ignore_errors=True)


if __name__ == "__main__":
    print(base_tar())
