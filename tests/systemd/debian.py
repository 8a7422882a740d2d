"""What Debian's own tools say of the packages: piuparts (install, remove, purge: what is
left over?) in a chroot, autopkgtest (debian/tests) in a booted container.

usage: debian.py [piuparts] [autopkgtest]

The packages are those in TRIVET_DEBS; as root; the network is that of apt.
"""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from container import SOURCES, SUITE, Container, base_tar, sources, workplace  # noqa: E402

CHECKOUT = Path(__file__).resolve().parents[2]
DEBS = Path(os.environ.get("TRIVET_DEBS", CHECKOUT / "build/deb"))

# autopkgtest's idea of a machine (autopkgtest-virt-server's protocol, by its own module).
TESTBED = """#!/usr/bin/python3
import sys
sys.path.insert(0, "/usr/share/autopkgtest/lib")
import VirtSubproc

def hook_open():
    VirtSubproc.auxverb = ["nsenter", "-t", sys.argv[1], "-a", "--", "env", "-i",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"]

def hook_downtmp(path):
    return VirtSubproc.downtmp_mktemp(path)

def hook_cleanup():
    VirtSubproc.downtmp_remove()

def hook_capabilities():
    return ["isolation-container", "root-on-testbed"]

VirtSubproc.main()
"""


def debs():
    found = [p for p in sorted(DEBS.glob("*.deb")) if "-dbgsym_" not in p.name]
    assert found, f"run `make deb` first: nothing in {DEBS}"
    return found


def piuparts(directory):
    """On the base of the containers: a minimal Debian, no systemd running."""
    base = directory / "base.tar.gz"
    with open(base_tar(), "rb") as tar, gzip.open(base, "wb", compresslevel=1) as out:
        shutil.copyfileobj(tar, out)
    mirror = next(line.split(None, 1)[1] for line in sources().splitlines()
                  if line.startswith("URIs:"))
    return subprocess.run(["piuparts", "-d", SUITE, "-m", f"{mirror} main", "-b", base,
                           "--tmpdir", directory, "--no-upgrade-test", *debs()]).returncode


def autopkgtest(directory):
    one = Container(directory)
    one.lay()
    shutil.copy("/etc/resolv.conf", one.root / "etc/resolv.conf")
    for words in ("update", "install -y --no-install-recommends apt-utils dpkg-dev"):
        subprocess.run(["chroot", one.root, "apt-get", "-qq", "-o", "Dpkg::Use-Pty=0",
                        *words.split()], check=True, stdout=subprocess.DEVNULL)
    # It has no network from here on, and needs none.
    for path in [*(one.root / "etc/apt").glob("sources.list"),
                 *(one.root / "etc/apt/sources.list.d").iterdir()]:
        path.unlink()
    one.boot()
    testbed, source = directory / "testbed", directory / "source"
    testbed.write_text(TESTBED)
    testbed.chmod(0o755)
    shutil.copytree(CHECKOUT / "packaging/debian", source / "debian")
    done = subprocess.run(["autopkgtest", "--no-built-binaries", *debs(), f"{source}/", "--",
                           testbed, str(one.leader)])
    one.close()
    return done.returncode


PARTS = {"piuparts": piuparts, "autopkgtest": autopkgtest}


def main():
    assert SOURCES.exists(), f"{SOURCES} is where the mirror is read"
    directory = workplace()
    codes = {name: PARTS[name](directory) for name in sys.argv[1:] or PARTS}
    shutil.rmtree(directory, ignore_errors=True)
    print(", ".join(f"{name}: {'passed' if code == 0 else f'exit {code}'}"
                    for name, code in codes.items()))
    return max(codes.values())


if __name__ == "__main__":
    sys.exit(main())
