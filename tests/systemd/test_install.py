"""`make install` without Debian, and what can be said of the units without running them."""

import os
import re
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD = os.environ.get("TRIVET_BUILD") or "build"
UNITS = CHECKOUT / "packaging/systemd"
DAEMONS = ("vrrpd", "checkd", "proxyd")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """`make install DESTDIR=... prefix=/opt/trivet`, twice: it may be repeated."""
    root = tmp_path_factory.mktemp("install")
    argv = ["make", "-C", str(CHECKOUT), "install", f"B={BUILD}", f"DESTDIR={root}",
            "prefix=/opt/trivet"]
    subprocess.run(argv, check=True, timeout=600)
    (root / "etc/trivet/trivet.conf").write_text("# mine\n")
    subprocess.run(argv, check=True, timeout=600)
    return root


def test_everything_has_its_place(tree):
    found = {str(p.relative_to(tree)) for p in tree.rglob("*") if p.is_file()}
    wanted = {f"opt/trivet/sbin/{name}" for name in DAEMONS + ("trivet-runner",)}
    wanted |= {f"opt/trivet/lib/systemd/system/{u.name}" for u in UNITS.iterdir()}
    wanted |= {f"opt/trivet/share/man/man8/{name}.8" for name in DAEMONS + ("trivet-runner",)}
    wanted |= {"opt/trivet/bin/trivet", "opt/trivet/share/man/man8/trivet.8",
               "opt/trivet/share/man/man5/trivet.conf.5", "opt/trivet/lib/tmpfiles.d/trivet.conf",
               "opt/trivet/lib/sysusers.d/trivet.conf", "opt/trivet/lib/sysctl.d/50-trivet.conf",
               "opt/trivet/lib/trivet/probe_http.so", "etc/trivet/trivet.conf"}
    assert wanted <= found
    assert all(name.startswith(("opt/trivet/", "etc/trivet/")) for name in found)


def test_the_module_is_found_where_it_was_installed(tree, tmp_path):
    """Wherever that is; and missed where it is not."""
    conf = tmp_path / "trivet.conf"
    conf.write_text("check web {\n\thttp http://127.0.0.1/\n}\n")
    argv = [tree / "opt/trivet/sbin/checkd", "-t", "-c", conf]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0 and "probe_http" not in done.stderr and \
        "trivet-checkd-http" not in done.stderr
    (tree / "opt/trivet/lib/trivet/probe_http.so").rename(tmp_path / "probe_http.so")
    done = subprocess.run(argv, capture_output=True, text=True)
    (tmp_path / "probe_http.so").rename(tree / "opt/trivet/lib/trivet/probe_http.so")
    assert "warning: http checks need the package trivet-checkd-http" in done.stderr


def test_units_start_what_was_installed(tree):
    for name in DAEMONS + ("trivet-runner",):
        unit = f"trivet-{name.removeprefix('trivet-')}.service"
        text = (tree / "opt/trivet/lib/systemd/system" / unit).read_text()
        assert f"ExecStart=/opt/trivet/sbin/{name}\n" in text


def test_a_configuration_that_is_there_stays(tree):
    assert (tree / "etc/trivet/trivet.conf").read_text() == "# mine\n"


@pytest.mark.parametrize("name", DAEMONS)
def test_the_shipped_configuration_is_good(tree, name):
    done = subprocess.run([tree / "opt/trivet/sbin" / name, "-t", "-c",
                           CHECKOUT / "packaging/trivet.conf"], capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr and "error" not in done.stderr


def test_its_examples_are_good_when_uncommented(tree):
    """What the shipped file shows in comments is a file that works."""
    lines = (CHECKOUT / "packaging/trivet.conf").read_text().splitlines()
    shown = [line[2:] for line in lines if line.startswith("#\t")]
    shown = [line for line in shown if not line.startswith(("keepalived_conf", "nginx_conf"))]
    assert any("vrrp_instance" in line for line in shown) and any("stream" in line for line in shown)
    path = tree / "uncommented.conf"
    path.write_text("\n".join(shown) + "\n")
    done = subprocess.run([tree / "opt/trivet/bin/trivet", "check", path], capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


# What systemd 252 says of the best comparable unit in Debian 12 is 3.7, of keepalived's 9.6.
@pytest.mark.parametrize("name,limit", [("vrrpd", 2.0), ("checkd", 1.7), ("proxyd", 1.6)])
def test_exposure(name, limit):
    said = subprocess.run(["systemd-analyze", "security", "--no-pager", "--offline=true",
                           UNITS / f"trivet-{name}.service"], capture_output=True, text=True,
                          timeout=30).stdout
    score = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert score and float(score.group(1)) <= limit, said
