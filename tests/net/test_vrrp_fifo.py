"""notify_fifo: a line for each change, and the last one whatever happens."""

import fcntl
import os
import stat

from lab import wait_for
from vrrp import VIP, globals_of, instance, metric

F_SETPIPE_SZ = 1031


def fifo(node, name="all"):
    return node.dir / f"{name}.fifo"


def start(lab, extra="", blocks="", globs="", **more):
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.text = globals_of("r1", f"    notify_fifo {fifo(node)}\n{globs.format(node=node)}") + \
        instance(extra=extra.format(node=node), **more) + blocks
    return node


def reader(node, name="all"):
    return node.spawn(["cat", fifo(node, name)], f"cat-{name}")


def lines(proc):
    return proc.log().splitlines()


def test_everything_one_instance_one_group(lab):
    node = start(lab, extra="notify_fifo {node.dir}/own.fifo nobody",
                 blocks=instance(name="VI_2", vrid=52, priority=90, vips=["10.4.7.20/24"])
                 + "vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n"
                   f" notify_fifo {lab.dir}/r1/group.fifo\n}}\n")
    node.vrrpd = node.daemon("vrrpd", node.text)
    wait_for(lambda: all(fifo(node, n).exists() for n in ("all", "own", "group")), "they are made")
    mode = wait_for(lambda: (os.stat(fifo(node, "own")).st_mode & 0o7777 == 0o660
                             and os.stat(fifo(node, "own"))), "and given to their readers")
    assert stat.S_ISFIFO(mode.st_mode) and mode.st_uid == 65534
    everything, own, group = (reader(node, n) for n in ("all", "own", "group"))
    wait_for(lambda: 'GROUP "G" MASTER 0' in lines(group), "the group is master", timeout=8)
    wait_for(lambda: len(lines(everything)) >= 6, "all have come")
    assert lines(own) == ['INSTANCE "VI_1" BACKUP 100', 'INSTANCE "VI_1" MASTER 100']
    assert lines(group) == ['GROUP "G" BACKUP 0', 'GROUP "G" MASTER 0']
    assert sorted(lines(everything)) == sorted(
        lines(own) + lines(group) + ['INSTANCE "VI_2" BACKUP 90', 'INSTANCE "VI_2" MASTER 90'])
    node.vrrpd.stop()
    wait_for(lambda: not own.alive(), "cat sees the end")
    assert lines(own)[-1] == 'INSTANCE "VI_1" STOP 100'


def test_adoption_writes_the_current_state(lab):
    node = start(lab)
    node.vrrpd = node.daemon("vrrpd", node.text)
    wait_for(lambda: node.holds(VIP), "master", timeout=6)
    node.vrrpd.kill9()
    node.vrrpd = node.daemon("vrrpd")
    node.vrrpd.wait_log("resumed as master")
    # What was not read before is gone with its last holder; a reader that comes late reads on.
    late = reader(node)
    wait_for(lambda: 'INSTANCE "VI_1" MASTER 100' in lines(late), "the current state")


def test_a_full_one_is_owed_the_last_line(lab):
    node = start(lab, extra="garp_master_delay 0")
    node.vrrpd = node.daemon("vrrpd", node.text)
    wait_for(lambda: fifo(node).exists(), "it is made")
    fd = os.open(fifo(node), os.O_RDWR | os.O_NONBLOCK)
    try:
        size = fcntl.fcntl(fd, F_SETPIPE_SZ, 4096)
        while True:
            try:
                os.write(fd, b"." * 64)
            except BlockingIOError:
                break
        for _ in range(3):
            wait_for(lambda: node.instance("VI_1")["state"] == "backup", "backup", timeout=8)
            node.link("eth0", "down")
            wait_for(lambda: node.instance("VI_1")["state"] == "fault", "fault", timeout=8)
            node.link("eth0", "up")
        wait_for(lambda: node.holds(VIP), "the election waits for no reader", timeout=8)
        def lost():
            return metric(node, "vrrpd_fifo_lines_lost_total", path=str(fifo(node)))
        assert wait_for(lambda: lost() >= 5 and lost(), "counted") >= 5
        written = metric(node, "vrrpd_fifo_lines_written_total", path=str(fifo(node)))
        read = b""
        def drained():
            nonlocal read
            try:
                read += os.read(fd, size)
            except BlockingIOError:
                pass
            return read.endswith(b'INSTANCE "VI_1" MASTER 100\n')
        wait_for(drained, "the final state, as soon as there is room")
    finally:
        os.close(fd)
    said = [line for line in read.decode().strip(".").splitlines() if line.startswith("INST")]
    assert said[-1] == 'INSTANCE "VI_1" MASTER 100'
    assert metric(node, "vrrpd_fifo_lines_written_total", path=str(fifo(node))) == written + 1
    node.vrrpd.wait_log("FIFO .* is full")


def test_a_script_that_reads_it(lab):
    node = start(lab, globs="    script_user root\n    enable_script_security\n"
                 "    notify_fifo_script \"{node.dir}/read.sh as written\"\n")
    node.script("read.sh", f"""#!/bin/sh
echo "$*" > {node.dir}/args
while read -r line; do
	echo "$line" >> {node.dir}/lines
	case $line in *again*) exit 1;; esac
done < "$3"
echo end >> {node.dir}/lines
""")
    node.vrrpd = node.daemon("vrrpd", node.text)

    def said():
        path = node.dir / "lines"
        return path.read_text().splitlines() if path.exists() else []
    wait_for(lambda: 'INSTANCE "VI_1" MASTER 100' in said(), "it hears of master", timeout=8)
    assert (node.dir / "args").read_text() == f"as written {fifo(node)}\n"
    with open(fifo(node), "w", encoding="ascii") as pipe:
        pipe.write("go again\n")
    node.vrrpd.wait_log("has ended .exit 1.*started again")
    node.link("eth0", "down")
    wait_for(lambda: 'INSTANCE "VI_1" FAULT 100' in said(), "the next one goes on", timeout=8)
    node.vrrpd.stop()
    wait_for(lambda: said()[-2:] == ['INSTANCE "VI_1" STOP 100', "end"], "and reads to the end")


def test_removed_and_repeated(lab):
    """A reload: what is removed is said; the present states are, when asked for."""
    node = start(lab, globs="    fifo_write_vrrp_states_on_reload\n")
    second = instance(name="VI_2", vrid=52, vips=["10.4.7.20/24"], extra="notify_deleted")
    third = instance(name="VI_3", vrid=53, vips=["10.4.7.30/24"])
    node.vrrpd = node.daemon("vrrpd", node.text + second + third)
    wait_for(lambda: fifo(node).exists(), "it is made")
    proc = reader(node)
    wait_for(lambda: node.holds("10.4.7.30") and len(lines(proc)) >= 6, "masters", timeout=8)
    before = len(lines(proc))
    node.write("trivet.conf", node.text)
    node.call("vrrpd", "org.trivet.daemon.control.Reload")
    wait_for(lambda: len(lines(proc)) >= before + 3, "told")
    assert lines(proc)[before:] == ['INSTANCE "VI_2" DELETED 100', 'INSTANCE "VI_3" FAULT 100',
                                    'INSTANCE "VI_1" MASTER 100']
