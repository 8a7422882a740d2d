"""`make demo` is a promise too: it runs to its end, and it leaves nothing behind."""

import os
import re
import signal
import subprocess
import time

import pytest
from lab import BUILD, CHECKOUT, PATIENCE, ROOT

DEMO = CHECKOUT / "tests/demo/demo.py"


@pytest.fixture
def demo(tmp_path):
    """The demo under way, its output going to a file."""
    out = tmp_path / "out"
    with open(out, "w", encoding="utf-8") as file:
        proc = subprocess.Popen(["/usr/bin/python3", "-B", DEMO], stdout=file,
                                stderr=subprocess.STDOUT, start_new_session=True,
                                env={**os.environ, "TRIVET_BUILD": str(BUILD)})
    proc.out = out
    yield proc
    proc.kill()
    proc.wait()


def leftovers(pid):
    """Namespaces, files and processes of the laboratory of this process."""
    mark = f"tl{pid}-"
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True,
                           check=True).stdout
    running = subprocess.run(["ps", "-e", "-o", "args="], capture_output=True, text=True,
                             check=True).stdout
    return ([line for line in names.splitlines() if mark in line]
            + [path.name for path in ROOT.glob(mark + "*")]
            + [line for line in running.splitlines() if mark in line])


def test_to_its_end(demo):
    assert demo.wait(90 * PATIENCE) == 0, demo.out.read_text()
    text = demo.out.read_text()
    table = text[text.index("== All of it"):]
    assert re.search(r"^ +service on n1 stopped +\S+ s  n2 ", table, re.M)
    assert re.search(r"^ +service on n1 back +\S+ s  n1 ", table, re.M)
    assert re.search(r"^ +checkd on n1 killed +\S+ s  n1 ", table, re.M)
    assert 'exit 1 "port 8080 is not used"' in text
    assert not leftovers(demo.pid)


def test_interrupted(demo):
    limit = time.monotonic() + 30 * PATIENCE
    while "stopped on n1" not in demo.out.read_text():
        assert demo.poll() is None and time.monotonic() < limit, demo.out.read_text()
        time.sleep(0.05)
    assert leftovers(demo.pid), "what the test looks for is there while the demo runs"
    demo.send_signal(signal.SIGINT)
    assert demo.wait(30 * PATIENCE) == 130
    assert not leftovers(demo.pid)
