"""FRR's vrrpd in a node, with the zebra it needs and the macvlan that carries
its addresses: the programs of Debian's frr package, run by hand."""

import json
import shutil

from lab import wait_for

FRR = "/usr/lib/frr"


class Frr:
    """One virtual router on eth0.  vips: "address/length" of one family."""

    def __init__(self, node, vrid, priority, vips, version=3, interval_ms=1000):
        self.node, self.vrid, self.family = node, vrid, 6 if ":" in vips[0] else 4
        self.dev = f"vrrp{self.family}"
        self.dir = node.dir / f"frr{len(node.procs)}"
        self.dir.mkdir()
        shutil.chown(self.dir, "frr", "frr")
        self._macvlan(vips)
        ip = "ip" if self.family == 4 else "ipv6"
        lines = [f"vrrp {vrid} version {version}", f"vrrp {vrid} priority {priority}",
                 f"vrrp {vrid} advertisement-interval {interval_ms}"]
        lines += [f"vrrp {vrid} {ip} {vip.split('/')[0]}" for vip in vips]
        self.zebra = self._run("zebra", "")
        wait_for(lambda: (self.dir / "zserv").exists(), "zebra listens")
        self.vrrpd = self._run("vrrpd", "interface eth0\n" + "".join(f" {x}\n" for x in lines))
        self.vrrpd.wait_log(r"Initialize -> Backup")

    def _macvlan(self, vips):
        ip, dev = self.node.ip, self.dev
        if dev in ip("link"):
            return
        ip("link", "add", dev, "link", "eth0", "address",
           f"00:00:5e:00:0{1 if self.family == 4 else 2}:{self.vrid:02x}", "type", "macvlan",
           "mode", "bridge")
        for vip in vips:
            ip("addr", "add", vip, "dev", dev, *(["nodad"] if self.family == 6 else []))
        ip("link", "set", dev, "up")

    def _run(self, program, text):
        conf = self.dir / f"{program}.conf"
        conf.write_text("log stdout\n" + text)
        conf.chmod(0o644)
        return self.node.spawn(
            [f"{FRR}/{program}", "-f", conf, "-i", self.dir / f"{program}.pid", "-u", "frr", "-g",
             "frr", "-P", "0", "-z", self.dir / "zserv", "--vty_socket", self.dir, "--log",
             "stdout"], f"frr-{program}")

    def holds(self, address):
        """The address is there all the time; its link is held down while it is backup."""
        link = json.loads(self.node.ip("-json", "link", "show", "dev", self.dev))[0]
        return self.vrrpd.alive() and "LOWER_UP" in link["flags"] \
            and self.node.holds(address, self.dev)

    def stop(self):
        self.vrrpd.stop()
        self.zebra.stop()
