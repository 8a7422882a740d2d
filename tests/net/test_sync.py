"""`trivet sync` from one node to another: what changed and is good arrives and is read;
what is not good changes nothing there."""

import os

import pytest

from lab import BUILD, wait_for
from vrrp import VIP, globals_of, instance

# ssh, as far as this is concerned: the command, on the node of that name, with its files.
RSH = """#!/bin/sh
shift
exec ip netns exec {netns} unshare --mount --propagation private sh -c \\
	'mount --bind {peer} {here}; export PATH={bin}:$PATH; exec sh -c "$0"' "$*"
"""
# The command asks the daemons of the node it is on.
TRIVET = "#!/bin/sh\nexec {trivet} --run-dir {run} \"$@\"\n"


@pytest.fixture
def pair(lab):
    """r1, from where; r2, with a vrrpd, its own etc/ and a trivet in its PATH."""
    lab.switch()
    r1, r2 = lab.node("r1", "10.4.7.11/24"), lab.node("r2", "10.4.7.12/24")
    for node in (r1, r2):
        node.etc = node.dir / "etc"
        (node.etc / "trivet").mkdir(parents=True)
        (node.dir / "bin").mkdir()
        node.script("bin/trivet", TRIVET.format(trivet=BUILD / "trivet", run=node.run_dir))
    text = globals_of("r") + instance(priority=90)
    for node in (r1, r2):
        node.write("etc/trivet/trivet.conf", text, 0o644)
    r2.vrrpd = r2.daemon("vrrpd", conf="etc/trivet/trivet.conf")
    wait_for(lambda: r2.holds(VIP), "r2 holds the address")
    r1.rsh = r1.script("rsh", RSH.format(netns=r2.netns, peer=r2.etc, here=r1.etc,
                                         bin=r2.dir / "bin"))
    return r1, r2


def sync(r1, *words, check=True):
    return r1.run([BUILD / "trivet", "sync", "--dir", r1.etc / "trivet", *words, "r2"],
                  check=check, env={"TRIVET_RSH": str(r1.rsh),
                                    "PATH": f"{r1.dir}/bin:{os.environ['PATH']}"})


def files(node):
    return {str(p.relative_to(node.etc)): p.read_text() for p in node.etc.rglob("*") if p.is_file()}


def test_the_same_already(pair):
    r1, r2 = pair
    before = r2.status("vrrpd")["configGeneration"]
    assert "r2: the same already" in sync(r1).stdout
    assert r2.status("vrrpd")["configGeneration"] == before
    assert set(files(r2)) == {"trivet/trivet.conf"}


def test_a_change_arrives_and_a_nodes_own_stays(pair):
    r1, r2 = pair
    (r2.etc / "trivet/local").mkdir()
    (r2.etc / "trivet/local/mine.conf").write_text("# r2's own\n")
    r1.write("etc/trivet/trivet.conf",
             globals_of("r") + instance(priority=90, vips=(f"{VIP}/24", "10.4.7.99/24")), 0o644)
    assert "differ" in sync(r1, "--dry-run").stdout
    assert not r2.holds("10.4.7.99")
    assert "r2: changed" in sync(r1).stdout
    # vrrpd reads its own path, which the other mount namespace has exchanged.
    wait_for(lambda: (r2.etc / "trivet/trivet.conf").read_text().count("10.4.7.99"), "it is there")
    wait_for(lambda: r2.holds("10.4.7.99"), "and is read")
    assert (r2.etc / "trivet/local/mine.conf").read_text() == "# r2's own\n"
    assert "r2: the same already" in sync(r1).stdout


def test_what_is_not_good_changes_nothing(pair):
    r1, r2 = pair
    before, generation = files(r2), r2.status("vrrpd")["configGeneration"]
    good = (r1.etc / "trivet/trivet.conf").read_text()
    r1.write("etc/trivet/trivet.conf", good.replace("priority", "prioriy"), 0o644)
    done = sync(r1, check=False)
    assert done.returncode == 1 and "has errors" in done.stderr
    # Good here, not there: r2 names a file that only r1 has.
    r1.write("etc/trivet/trivet.conf", good + "include local/here.conf\n", 0o644)
    (r1.etc / "trivet/local").mkdir()
    (r1.etc / "trivet/local/here.conf").write_text("# only here\n")
    done = sync(r1, check=False)
    assert done.returncode == 1 and "r2: refused: it has errors there" in done.stderr
    assert files(r2) == before
    assert r2.status("vrrpd")["configGeneration"] == generation


def test_usage(pair):
    r1, _ = pair
    done = r1.run([BUILD / "trivet", "sync", "--dir", r1.etc / "trivet"], check=False)
    assert done.returncode == 2 and "no nodes given" in done.stderr
    assert r1.run([BUILD / "trivet", "sync", "--what"], check=False).returncode == 2
