"""The examples for monitors (packaging/examples/monitoring) against running daemons."""

import json
import re

import pytest

from lab import CHECKOUT, DAEMONS

EXAMPLES = CHECKOUT / "packaging/examples/monitoring"
CONF = """
check idle {
    process trivet-lab-none
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        10.4.7.10/24
    }
}
stream {
    server {
        listen 7443;
        proxy_pass 10.4.7.21:6443;
    }
}
"""


@pytest.fixture
def node(lab):
    lab.switch()
    one = lab.node("n1", "10.4.7.11/24")
    one.suite(CONF)
    return one


def textfile(node):
    path = node.dir / "trivet.prom"
    command = f"{node.binary('trivet')} --run-dir {node.run_dir}"
    node.run([EXAMPLES / "trivet-textfile.sh", path], env={"TRIVET": command})
    return path.read_text()


def test_textfile_is_what_prometheus_reads(node):
    text = textfile(node)
    sample = re.compile(r'^[a-z_:][a-z0-9_:]*(\{([a-z_]+="(\\.|[^"\\])*",?)*\})? -?[0-9.e+]+(Inf|NaN)?$',
                        re.IGNORECASE)
    for line in text.splitlines():
        assert line.startswith("# ") or not line or sample.match(line), line
    for daemon in DAEMONS:
        assert f"\n{daemon}_up 1\n" in text


def test_textfile_says_when_a_daemon_does_not_answer(node):
    (node.run_dir / "proxyd.sock").unlink()
    text = textfile(node)
    assert "\nproxyd_up 0\n" in "\n" + text
    assert "\nvrrpd_up 1\n" in "\n" + text


def test_zabbix_parameters_answer(node):
    lines = [line for line in (EXAMPLES / "zabbix.conf").read_text().splitlines()
             if line.startswith("UserParameter=")]
    assert len(lines) == 4
    for line in lines:
        key, _, command = line.removeprefix("UserParameter=").partition(",")
        command = command.replace("/run/trivet/", f"{node.run_dir}/").replace("$1", "checkd")
        answer = json.loads(node.run(["sh", "-c", command]).stdout)
        assert "parameters" in answer and "error" not in answer, key


def test_nagios_plugin(node):
    text = (EXAMPLES / "nagios.cfg").read_text()
    command = next(line.split(None, 1)[1] for line in text.splitlines()
                   if line.strip().startswith("command_line"))
    args = command.removeprefix("/usr/bin/trivet ").split()
    done = node.trivet(*args, check=False)
    assert done.returncode in (0, 1, 2)
    first = done.stdout.splitlines()[0]
    assert re.match(r"(TRIVET )?(OK|WARNING|CRITICAL)\b", first) and "|" in first
