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
               "opt/trivet/lib/trivet/probe_http.so", "etc/trivet/trivet.conf",
               "opt/trivet/lib/systemd/catalog/trivet.catalog",
               "opt/trivet/share/man/man7/trivet-migration.7",
               "opt/trivet/share/bash-completion/completions/trivet",
               "opt/trivet/share/zsh/vendor-completions/_trivet", "etc/logrotate.d/trivet-proxyd"}
    assert wanted <= found
    assert all(name.startswith(("opt/trivet/", "etc/trivet/", "etc/logrotate.d/"))
               for name in found)


def test_the_module_is_found_where_it_was_installed(tree, tmp_path):
    """Wherever that is; and missed where it is not."""
    conf = tmp_path / "trivet.conf"
    conf.write_text("check web {\n\thttps https://127.0.0.1/\n}\n")
    argv = [tree / "opt/trivet/sbin/checkd", "-t", "-c", conf]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0 and "probe_http" not in done.stderr and \
        "trivet-checkd-http" not in done.stderr
    (tree / "opt/trivet/lib/trivet/probe_http.so").rename(tmp_path / "probe_http.so")
    done = subprocess.run(argv, capture_output=True, text=True)
    (tmp_path / "probe_http.so").rename(tree / "opt/trivet/lib/trivet/probe_http.so")
    assert "warning: https checks, and redirects, need the package trivet-checkd-http" in done.stderr


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


def test_logrotate_takes_its_file(tree, tmp_path):
    done = subprocess.run(["logrotate", "-d", "-s", tmp_path / "state",
                           tree / "etc/logrotate.d/trivet-proxyd"], capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 0, done.stderr
    assert "rotating pattern: /var/log/trivet/*.log " in done.stderr
    assert "error" not in done.stderr and "warning" not in done.stderr.replace("warning: ", "", 1)


# What systemd 252 says of the best comparable unit in Debian 12 is 3.7, of keepalived's 9.6.
@pytest.mark.parametrize("name,limit", [("vrrpd", 2.0), ("checkd", 1.7), ("proxyd", 1.6)])
def test_exposure(name, limit):
    said = subprocess.run(["systemd-analyze", "security", "--no-pager", "--offline=true",
                           UNITS / f"trivet-{name}.service"], capture_output=True, text=True,
                          timeout=30).stdout
    score = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert score and float(score.group(1)) <= limit, said


# Each of the examples for usual set-ups, and who the nodes are that share it.
SETUPS = {"kube-apiserver": ("n1", "n2"), "web-pair": ("n1", "n2"),
          "active-active": ("n1", "n2"), "router-pair": ("r1", "r2"), "from-files": ()}


def test_no_example_is_left_out():
    found = {p.parent.name for p in (CHECKOUT / "packaging/examples").glob("*/trivet.conf")}
    assert found == set(SETUPS)


@pytest.mark.parametrize("name", SETUPS)
def test_example(tree, name):
    """`trivet check` has nothing against it, nor against the nodes together."""
    path = CHECKOUT / "packaging/examples" / name / "trivet.conf"
    words = [w for node in SETUPS[name] for w in ("-i", node, path)] or [path]
    done = subprocess.run([tree / "opt/trivet/bin/trivet", "check", *words], capture_output=True,
                          text=True, timeout=30)
    said = [line for line in done.stderr.splitlines() if re.search(r": (error|warning): ", line)
            and "this host has no interface" not in line]
    assert done.returncode == 0 and said == [], done.stderr
    for node in SETUPS[name]:
        assert re.search(rf"^{node} is lost +\w+ +\w+", done.stdout, re.MULTILINE), done.stdout


def complete(tree, *words):
    """What bash offers for the last of these words."""
    line = " ".join(f"'{w}'" for w in ("trivet",) + words)
    script = (f"source {CHECKOUT}/packaging/completions/trivet.bash; COMP_WORDS=({line}); "
              f"COMP_CWORD={len(words)}; _trivet; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30,
                          env={"PATH": f"{tree}/opt/trivet/bin:/usr/bin:/bin"})
    assert done.stderr == ""
    return set(done.stdout.split())


# zsh's own completion at work, in a terminal of its own; what it offers is printed between marks.
ZSH = r"""
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PROMPT= fpath=($1 \$fpath); autoload -U compinit; compinit -u -D"
zpty -w z "offer() {
	compadd() { local -a o; builtin compadd -O o \"\$@\"; print -rl -- '' @\$^o@; builtin compadd \"\$@\" }
	_main_complete; unfunction compadd; print -r -- ''; print END\OF
}"
zpty -w z "zle -C offer complete-word offer; bindkey '^X' offer; print BEG\IN"
zpty -r z said '*BEGIN*'
shift
for line; do
	zpty -w -n z "$line"$'\x18'
	zpty -r z said '*ENDOF*'
	print -r -- "$said"
	zpty -w -n z $'\x15'
done
"""


def complete_zsh(tree, *lines):
    """What zsh offers for the last word of each."""
    done = subprocess.run(
        ["zsh", "-f", "-c", ZSH, "zsh", tree / "opt/trivet/share/zsh/vendor-completions",
         *(f"trivet {line}" for line in lines)], capture_output=True, text=True, timeout=300,
        env={"PATH": f"{tree}/opt/trivet/bin:/usr/bin:/bin", "TERM": "dumb"})
    assert done.returncode == 0, done.stdout + done.stderr
    return [set(re.findall(r"@([^@\r\n]+)@", said)) for said in done.stdout.split("ENDOF")[:-1]]


def test_completion_knows_what_the_command_knows(tree):
    trivet = tree / "opt/trivet/bin/trivet"
    told = subprocess.run([trivet, "--help"], capture_output=True, text=True).stdout
    verbs = set(re.findall(r"^  (\w+) ", told, re.MULTILINE))
    assert len(verbs) > 15
    assert complete(tree, "") == verbs | {"--run-dir", "--json", "--help", "--version"}
    assert complete(tree, "re") == {v for v in verbs if v.startswith("re")}
    options = {}
    for verb in sorted(verbs):
        usage = subprocess.run([trivet, verb, "--help"], capture_output=True, text=True).stdout
        options[verb] = set(re.findall(r"(?<=[\[ |])--?[a-z][a-z-]*", usage.splitlines()[0])) | \
            {"--run-dir", "--json"}
        assert complete(tree, verb, "-") == options[verb], verb
    assert complete(tree, "force", "web", "") == {"up", "down", "auto"}
    assert complete(tree, "run", "--only", "v") == {"vrrpd"}
    told = complete_zsh(tree, "", "re", *(f"{verb} -" for verb in options), "force web ",
                        "run --only v", "--run-dir /nowhere restart ")
    assert told == [verbs | {"--run-dir", "--json", "--help", "--version"},
                    {v for v in verbs if v.startswith("re")}, *options.values(),
                    {"up", "down", "auto"}, {"vrrpd"},
                    {"vrrpd", "checkd", "proxyd", "trivet-runner"}]


def test_catalog(tmp_path):
    """A text for each MESSAGE_ID, none for others, and journalctl takes it."""
    source = (CHECKOUT / "common/message.c").read_text()
    catalog = CHECKOUT / "packaging/trivet.catalog"
    ids = re.findall(r'"([0-9a-f]{32})"', source)
    assert len(ids) > 8
    assert sorted(re.findall(r"^-- ([0-9a-f]{32})$", catalog.read_text(), re.MULTILINE)) == \
        sorted(ids)
    place = tmp_path / "usr/lib/systemd/catalog"
    place.mkdir(parents=True)
    (place / "trivet.catalog").write_text(catalog.read_text())
    done = subprocess.run(["journalctl", f"--root={tmp_path}", "--update-catalog"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    for one in ids:
        done = subprocess.run(["journalctl", f"--root={tmp_path}", "--dump-catalog", one],
                              capture_output=True, text=True, timeout=30)
        assert "Subject: " in done.stdout


@pytest.mark.parametrize("name", DAEMONS)
def test_apparmor_takes_the_profile(name):
    """Parsed and compiled; no kernel is asked."""
    done = subprocess.run(["apparmor_parser", "--skip-kernel-load", "--skip-cache",
                           "--config-file=/dev/null",
                           CHECKOUT / f"packaging/apparmor/usr.sbin.{name}"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stderr, done.stderr
