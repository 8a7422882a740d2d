"""pytest: the `lab` fixture, and what a failing test has to show."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import lab as laboratory  # noqa: E402


def pytest_collection_modifyitems(items):
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
            seen = dict(report.user_properties)
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
