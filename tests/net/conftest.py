"""pytest: the `lab` fixture, and what a failing test has to show."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import lab as laboratory  # noqa: E402


# Up to a minute each: begun first, each by another worker, so that the rest runs beside them.
LONG = ("test_foreign_addresses", "test_the_nodes_own_route_stays", "test_a_stopped_server_is_not_felt",
        "test_every_reason", "test_patience_ends")


# Not with sanitizers: here the wire, a peer or minutes of waiting are judged, and what the daemons do
# they do in other tests too.
PLAIN_ONLY = ("test_lab.py", "test_vrrp_interop.py", "test_vrrp_pair.py", "test_suite_pair.py",
              "test_vrrp_rolling.py", "test_vrrp_announce.py", "test_foreign_addresses",
              "test_the_nodes_own_route_stays", "test_a_stopped_server_is_not_felt", "test_patience_ends")


def pytest_collection_modifyitems(config, items):
    if laboratory.SANITIZED:
        left = [item for item in items if item.path.name in PLAIN_ONLY
                or item.name.startswith(PLAIN_ONLY)]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
    share = len(items) // (4 * int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))  # xdist's
    long = [item for item in items if item.name.startswith(LONG)]
    items[:] = [item for item in items if item not in long]
    for n, item in enumerate(long):
        items.insert(n * share, item)
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture
def lab(request):
    """A laboratory of this test's own, removed at its end."""
    with laboratory.Lab() as one:
        request.node.lab = one
        yield one
        reports = one.sanitizer_reports()
    assert not reports, "\n".join(reports)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    one = getattr(item, "lab", None)
    if call.when == "call" and report.failed and one is not None:
        report.sections.append(("logs of the laboratory", one.logs()))


def pytest_terminal_summary(terminalreporter):
    """test_vrrp_interop.py's rows as one matrix; from workers they come with the reports."""
    matrix = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            seen = dict(getattr(report, "user_properties", ()))  # a file that cannot be read has none
            if "interop" in seen:
                peer, wire, role = seen["interop"]
                matrix.setdefault((peer, wire), {})[role] = (
                    f"ok, {seen['packets']} packets" if outcome == "passed" else outcome.upper())
    if not matrix:
        return
    terminalreporter.section("VRRP interoperability: master, hands over, takes back")
    line = "{:<12}{:<42}{:<20}{}".format
    terminalreporter.line(line("beside", "on the wire", "ours is the better", "the lesser"))
    for (peer, wire), cell in sorted(matrix.items()):
        terminalreporter.line(line(peer, wire, cell.get("better", "-"), cell.get("lesser", "-")))
