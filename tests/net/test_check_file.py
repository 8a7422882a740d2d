"""The file check: keepalived's track_file, fail-closed, told by inotify."""

import os
import pwd

import pytest

from lab import wait_for
from test_checkd import LIST, check, make  # noqa: F401 (a fixture)

SLOW = "60s"  # what is seen sooner was told by the kernel


@pytest.fixture
def path(make, request):
    c = request.node.checkd = make()
    directory = c.node.dir / "flags"
    directory.mkdir()
    os.chmod(directory, 0o755)
    return directory / "flag"


def start(request, path, text=None, **options):
    c = request.node.checkd
    c.start(text or check("f", f"file {path}", **{"interval": SLOW, **options}))
    return c


def is_so(c, state, value, detail=None):
    def so():
        seen = c.get("f")
        return (seen["state"], seen["value"]) == (state, value) and (
            detail is None or detail in seen["lastDetail"]) and seen
    return wait_for(so, f"f is {state} with {value}, {detail}")


def test_every_way_it_changes(request, path):
    """Written, replaced by rename, removed, made, made unreadable: none waits for a run."""
    path.write_text("0\n")
    c = start(request, path)
    seen = is_so(c, "up", 0)
    assert (seen["kind"], seen["target"], seen["lastReason"]) == ("file", str(path), "ok")
    path.write_text("5\n")
    seen = is_so(c, "down", 5, "value 5")
    assert seen["lastReason"] == "value"
    other = path.with_name("other")
    other.write_text("0")
    other.rename(path)
    is_so(c, "up", 0)
    path.rename(other)
    seen = is_so(c, "down", None, "No such file or directory")
    assert seen["lastReason"] == "file"
    path.write_text("-3")
    is_so(c, "down", -3)
    path.unlink()
    is_so(c, "down", None)
    path.write_text("0")
    is_so(c, "up", 0)
    os.chmod(path, 0)
    is_so(c, "down", None, "Permission denied")
    os.chmod(path, 0o644)
    is_so(c, "up", 0)
    with open(path, "a") as f:  # in place, without a close
        f.write("7")
        f.flush()
        is_so(c, "down", 7)
    c.proc.wait_log(r"check f is down: value 5")


def test_with_a_weight_the_number_is_no_failure(request, path):
    path.write_text("5")
    c = start(request, path, weight=-10)
    seen = is_so(c, "up", 5)
    assert seen["weight"] == -10
    path.write_text("-250")
    is_so(c, "up", -250)  # another number alone is told
    path.write_text("up")
    is_so(c, "down", None, "does not hold a number")


@pytest.mark.parametrize("content, detail", [
    ("", "is empty"), (" \n", "is empty"), ("1 2", "does not hold a number"),
    ("4294967296", "holds a number beyond 32 bits"), ("\0" * 20, "does not hold a number"),
    ("7" * 100_000, "holds more than a number"),
])
def test_what_is_no_number(request, path, content, detail):
    path.write_text(content)
    c = start(request, path)
    assert is_so(c, "down", None, detail)["lastReason"] == "file"


@pytest.mark.parametrize("what, spoil, detail", [
    ("a directory", lambda p: p.mkdir(), "is not a regular file"),
    ("a pipe", os.mkfifo, "is not a regular file"),
    ("a device", lambda p: p.symlink_to("/dev/zero"), "is not a regular file"),
    ("itself", lambda p: p.symlink_to(p), "Too many levels"),
    ("one that cannot be read", lambda p: p.symlink_to("/sys/class/net/lo/speed"),
     ": Invalid argument"),
])
def test_what_is_no_file(request, path, what, spoil, detail):
    spoil(path)
    c = start(request, path)
    is_so(c, "down", None, detail)


def test_its_directory_comes_and_goes(request, path):
    """There is nothing to watch: the next run sees it, and what comes then is told."""
    inner = path.parent / "inner"
    c = start(request, inner / "flag", interval="100ms")
    is_so(c, "down", None, "No such file")
    inner.mkdir()
    (inner / "flag").write_text("0")
    is_so(c, "up", 0)
    (inner / "flag").unlink()
    inner.rmdir()
    is_so(c, "down", None)
    inner.mkdir()
    (inner / "flag").write_text("2")
    is_so(c, "down", 2)


def test_a_symbolic_link_is_followed_by_the_runs(request, path):
    target = path.parent.parent / "elsewhere"
    target.write_text("0")
    path.symlink_to(target)
    c = start(request, path, interval="100ms")
    is_so(c, "up", 0)
    target.write_text("1")
    is_so(c, "down", 1)


def test_emptying_before_writing_is_no_failure(request, path):
    """As `>` of a shell does it: the two do not count as a file without a number, unless whoever
    writes is held up in between, as we may be here."""
    path.write_text("0")
    c = start(request, path, interval="20ms", timeout="2s")
    is_so(c, "up", 0)

    def failures():
        [metric] = c.call("org.trivet.daemon.ListMetrics", prefix="checkd_check_failures")["metrics"]
        return metric["value"]
    before = failures()
    for _ in range(300):
        path.write_text("0")
    is_so(c, "up", 0)
    assert failures() - before <= 5


def test_rise_and_fall_and_a_restart(request, path):
    path.write_text("3")
    c = start(request, path, weight=1, fall=3, interval="50ms")
    is_so(c, "up", 3)
    assert c.proc.stop() == 0
    path.unlink()
    c.start()
    # The new process knows the number until the third failure.
    seen = c.get("f")
    assert (seen["state"], seen["value"]) in (("up", 3), ("down", None))
    is_so(c, "down", None)
    c.proc.wait_log(r"check f failed, 1 of 3")


BLOCK = """
{word} f {{
	file {path}
	init_file {init}
}}
vrrp_instance VI_1 {{
	interface eth0
	virtual_router_id 51
	virtual_ipaddress {{
		10.4.7.10
	}}
	track_check {{
		f
	}}
}}
"""


@pytest.mark.parametrize("word, init, before, value", [
    ("vrrp_track_file", "4", None, 4), ("track_file", "", None, 0),
    ("track_file", "4", "9", 9), ("vrrp_track_file", "-4 overwrite", "9", -4),
])
def test_keepalived_blocks(request, path, word, init, before, value):
    try:
        user = pwd.getpwnam("_trivet-checkd")
        os.chown(path.parent, user.pw_uid, user.pw_gid)
    except KeyError:
        os.chmod(path.parent, 0o777)
    if before is not None:
        path.write_text(before)
        os.chmod(path, 0o666)
    c = start(request, path, BLOCK.format(word=word, path=path, init=init))
    seen = is_so(c, "up", value)
    assert seen["weight"] == 1 and seen["usedBy"] == ["VI_1"]
    assert int(path.read_text()) == value


def test_a_file_it_may_not_make_fails_closed(request, path):
    c = start(request, path, BLOCK.format(word="track_file", path=path, init="0"))
    if os.access(path, os.F_OK):
        pytest.skip("checkd runs as root here")
    is_so(c, "down", None)
    c.proc.wait_log(r"check f: init_file: .*: Permission denied")
    assert [x["name"] for x in c.call(LIST)["checks"]] == ["f"]
