#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
End-to-end tests of the pvhv tool with tests/fake-device.c in place of the
module: e2e.py PVHV-FAKE [WORD-OF-A-TEST'S-NAME]...
"""
import json
import os
import pty
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import termios
import threading
import time
import tty

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import mkelf  # noqa: E402

PVHV = os.path.abspath(sys.argv[1])
TIMEOUT = 60
MAX_REQUEST = 8192  # CONTROL_MAX_REQUEST
ESC = b"\x1d"
tests = []


def test(fn):
    tests.append(fn)
    return fn


class Failure(Exception):
    pass


def check(good, *what):
    if not good:
        raise Failure(" ".join(str(w) for w in what))


class Socket(socket.socket):
    """One that remembers its file"""
    file = None

    def close(self):
        if self.file:
            self.file.close()
        super().close()


class Place:
    """A directory with a kernel and an initrd, also the runtime directory."""

    def __init__(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="pvhv-e2e-")
        self.dir = self.tmp.name
        self.run_dir = os.path.join(self.dir, "run")
        self.kernel = self.file("vmlinux", mkelf.kernel())
        self.initrd = self.file("initrd", b"i" * 5000)
        self.procs = []
        self.env = dict(os.environ, PVHV_RUNTIME_DIR=self.run_dir)

    def file(self, name, contents):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(contents)
        return path

    def path(self, name):
        return os.path.join(self.dir, name)

    def args(self, *args, name="g", do=None, kernel=None):
        line = [PVHV, "run", "--name", name, "--kernel", kernel or self.kernel]
        if do:
            line += ["--append", " ".join("do=" + d for d in do)]
        return line + list(args)

    def start(self, *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=None, **kwargs):
        """A launcher in the background"""
        p = subprocess.Popen(self.args(*args, **kwargs), stdin=stdin, stdout=stdout,
                             stderr=subprocess.PIPE, env={**self.env, **(env or {})})
        self.procs.append(p)
        return p

    def run(self, *args, input=b"", env=None, **kwargs):
        """A launcher up to its end"""
        return subprocess.run(self.args(*args, **kwargs), input=input, capture_output=True,
                              env={**self.env, **(env or {})}, timeout=TIMEOUT)

    def cmd(self, *args, env=None, timeout=TIMEOUT):
        return subprocess.run([PVHV, *args], capture_output=True, stdin=subprocess.DEVNULL,
                              env={**self.env, **(env or {})}, timeout=timeout)

    def connect(self, name="g", greet=True):
        s = Socket(socket.AF_UNIX)
        s.settimeout(TIMEOUT)
        s.connect(os.path.join(self.run_dir, name + ".sock"))
        s.file = s.makefile("rb")
        if greet:
            line = s.file.readline()
            check(line == b"pvhv-control 1 " + name.encode() + b"\n", "greeting", line)
        return s

    def close(self):
        for p in self.procs:
            if p.poll() is None:
                p.kill()
            p.wait()
            for f in (p.stdin, p.stdout, p.stderr):
                if f:
                    f.close()
        self.tmp.cleanup()


def until(fn, what, seconds=TIMEOUT):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = fn()
        if result:
            return result
        time.sleep(0.02)
    raise Failure("timeout: " + what)


def read_until(f, text, seconds=TIMEOUT, times=1):
    """Read the descriptor of @f until @text came @times; returns all that came."""
    fd = f if isinstance(f, int) else f.fileno()
    got = b""
    end = time.monotonic() + seconds
    while got.count(text) < times:
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            raise Failure("timeout: no %r in %r" % (text, got[-500:]))
        try:
            more = os.read(fd, 65536)
        except OSError:
            more = b""
        if not more:
            raise Failure("end of file: no %r in %r" % (text, got[-500:]))
        got += more
    return got


def ended(p, status, err=b""):
    out, text = p.communicate(timeout=TIMEOUT)
    check(p.returncode == status, "status", p.returncode, "instead of", status, text)
    check(err in text, "stderr", text)
    return out


def one_line(r, status, *parts):
    check(r.returncode == status, "status", r.returncode, "instead of", status, r.stderr, r.stdout)
    check(r.stderr.count(b"\n") == 1 and r.stderr.startswith(b"pvhv: "), "stderr", r.stderr)
    for part in parts:
        check(part in r.stderr, part, "is not in", r.stderr)


def no_leftovers(p):
    left = os.listdir(p.run_dir) if os.path.isdir(p.run_dir) else []
    check(not left, "left over:", left)


# -- what run tells and returns


@test
def poweroff_is_0(p):
    r = p.run("--initrd", p.initrd, "--memory", "64M", do=["poweroff"])
    check(r.returncode == 0 and r.stderr == b"", r)
    check(b"fake guest: boot 1 entry ffffffff80200000 root 201000 ram 1000-4000000 "
          b"initrd 3ffe000+1388\r\n" in r.stdout, r.stdout)
    check(b"cmdline: console=hvc0 do=poweroff\r\n" in r.stdout, r.stdout)
    no_leftovers(p)


@test
def crash_is_3(p):
    r = p.run(do=["crash:Attempted_to_kill_init!"])
    one_line(r, 3, b"pvhv: domain g crashed: panic: Attempted to kill init!\n")
    no_leftovers(p)


@test
def crash_text_cannot_reach_the_terminal(p):
    r = p.run(do=["crash:\x1b[31m\x07red"])
    one_line(r, 3, b"panic: ?[31m?red")


@test
def kill_is_4(p):
    g = p.start()
    read_until(g.stdout, b"cmdline")
    r = p.cmd("kill", "g")
    check(r.returncode == 0 and r.stderr == b"", r)
    # its descriptors are closed a moment before it can be waited for
    try:
        g.wait(5)
    except subprocess.TimeoutExpired:
        check(False, "kill returned before the launcher ended")
    ended(g, 4)
    no_leftovers(p)


@test
def failing_vcpu_is_2(p):
    one_line(p.run(env={"PVHV_FAKE": "run-fails"}), 2, b"cannot run: Bad address")
    no_leftovers(p)


@test
def reboot_starts_again(p):
    r = p.run("--initrd", p.initrd, do=["flood:3000", "once:reboot", "poweroff"])
    check(r.returncode == 0, r)
    check(b"boot 1" in r.stdout and b"boot 2" in r.stdout and b"boot 3" not in r.stdout, r.stdout)
    check(r.stdout.count(b"line 2999 of") == 2 and r.stdout.count(b"of the flood") == 6000,
          "output was lost")


@test
def reboot_takes_what_was_opened(p):
    g = p.start(do=[])
    read_until(g.stdout, b"cmdline")
    os.rename(p.kernel, p.path("old"))
    p.file("vmlinux", b"not a kernel")
    g.stdin.write(b"reboot\n")
    g.stdin.flush()
    read_until(g.stdout, b"boot 2")
    g.stdin.write(b"poweroff\n")
    g.stdin.flush()
    ended(g, 0)


@test
def reboot_with_a_piped_initrd(p):
    r = subprocess.run(["bash", "-c", 'exec "$0" "${@:1:$#-1}" --initrd <(cat "${@:$#}")'] +
                       p.args(do=["once:reboot", "poweroff"]) + [p.initrd],
                       capture_output=True, env=p.env, stdin=subprocess.DEVNULL, timeout=TIMEOUT)
    check(r.returncode == 0 and b"boot 2" in r.stdout and r.stdout.count(b"+1388") == 2, r)


@test
def dev_null_is_no_initrd(p):
    r = p.run("--initrd", "/dev/null", do=["poweroff"])
    check(r.returncode == 0 and b"initrd 0+0" in r.stdout, r)
    one_line(p.run("--kernel", "/dev/null"), 1, b"/dev/null: is empty")
    one_line(p.run("--initrd", p.file("empty", b"")), 1, b"is empty")


@test
def no_reboot(p):
    r = p.run("--no-reboot", do=["once:reboot", "poweroff"])
    check(r.returncode == 0 and b"boot 2" not in r.stdout, r)


@test
def host_refusals_are_2(p):
    for fake, words in (("missing", b"error no-module"), ("denied", b"error no-permission"),
                        ("old-api", b"error api-mismatch"),
                        ("other-version", b"error api-mismatch"),
                        ("no-domain", b"refuses another domain"),
                        ("no-memory", b"refuses 256 MiB of guest memory")):
        one_line(p.run(env={"PVHV_FAKE": fake}), 2, words)
        no_leftovers(p)


@test
def bad_configuration_is_1(p):
    good = mkelf.kernel()
    files = {
        "truncated": (good[:3000], b"truncated"),
        "empty": (b"", b"is empty"),
        "text": (b"#!/bin/sh\n" * 100, b"neither an ELF file nor a bzImage"),
        "no-notes": (mkelf.kernel(notes=False), b"CONFIG_PVHV_GUEST"),
        "arm": (mkelf.kernel(machine=183), b"another machine"),
        "abi": (mkelf.kernel(abi=9), f"guest ABI 9, not {mkelf.ABI}".encode()),
    }
    for name, (contents, words) in files.items():
        path = p.file(name, contents)
        one_line(p.run(kernel=path), 1, b"pvhv: " + path.encode() + b": ", words)
    for args, words in (
            (["--memory", "1M"], b"needs at least 3M of memory, not 1M: give --memory 3M"),
            (["--memory", "0"], b"--memory '0': give a size"),
            (["--memory", "1.5G"], b"give a size"),
            (["--memory", "99999T"], b"--memory: must be"),
            (["--initrd", "/nonexistent"], b"/nonexistent: does not exist"),
            (["--initrd", "/"], b"/: is a directory"),
            (["--memory", "4M", "--initrd", p.file("large", b"x" * 4000000)],
             b"with this initrd"),
            (["--append", "x" * 2100], b"--append: makes a command line of 2113 bytes"),
            (["--cpus", "65"], b"--cpus '65'"),
            (["--cpus", "4,max=3"], b"--cpus '4,max=3'"),
            (["--cpus", "2,4"], b"--cpus '2,4'"),
            (["--cpus", "0"], b"--cpus '0'"),
            (["--cpu-features", "-none"], b"--cpu-features -none: not a name that"),
            (["--cpu-features", "+avx"], b"+avx: features can only be taken away"),
            (["--cpu-features", "avx"], b"--cpu-features 'avx': give -NAME[,-NAME...] or help"),
            (["--cpu-features", ""], b"--cpu-features '': give -NAME"),
            (["--cpu-features", "-avx,-sse2"], b"-sse2: a guest cannot be without it"),
            (["--cpu-features"], b"--cpu-features needs an argument"),
            (["--console", "vga"], b"not stdio, pty, file:PATH"),
            (["--console", "file:"], b"not stdio, pty, file:PATH"),
            (["--console", "file:/nonexistent/x"], b"No such file"),
            (["--on-crash", "explode"], b"give preserve or destroy"),
            (["--name", "../x"], b"a name has"),
            (["--bogus"], b"unknown option --bogus"),
            (["--bogus=x", "-x"], b"unknown option --bogus=x"),
            (["-xyz"], b"unknown option -x"),
            (["--name", "g", "-x"], b"unknown option -x"),
            (["--kernel"], b"--kernel needs an argument"),
            (["more"], b"unknown argument more")):
        one_line(p.run(*args), 1, words)
        no_leftovers(p)
    r = p.run("--cpus", "1", do=["poweroff"])
    check(r.returncode == 0, r)


@test
def features_are_hidden(p):
    r = p.cmd("run", "--cpu-features", "help")
    names = r.stdout.decode().split()
    check(r.returncode == 0 and {"avx", "avx2", "rdrand"} < set(names), r)
    check(all(len(line) < 80 for line in r.stdout.splitlines()), r.stdout)
    r = p.run("--cpu-features", ",".join("-" + n for n in names), do=["poweroff"])
    check(b"hidden: %d, CPUID is raw" % len(names) in r.stdout and r.returncode == 0, r)
    g = p.start("--cpu-features", "-avx,-avx", "--cpu-features=-rdrand,-avx", do=["once:reboot"])
    # as many after a reboot
    read_until(g.stdout, b"hidden: 2, ", times=2)
    info = json.loads(p.cmd("info", "--json", "g").stdout)
    check(info["cpu_features"] == "-avx,-rdrand" and info["cpuid"] == "raw", info)
    p.cmd("kill", "g")
    ended(g, 4)
    one_line(p.run("--cpu-features", "-avx", env={"PVHV_FAKE": "no-masks"}), 2,
             b"the host does not hide the feature avx: ")


@test
def cpuid_faults_in_vcpus(p):
    env = {"PVHV_FAKE": "cpuid-faulting"}
    g = p.start("--cpus", "3", env=env)
    read_until(g.stdout, b"hidden: 0, CPUID faults")
    info = json.loads(p.cmd("info", "--json", "g").stdout)
    check(info["cpuid"] == "masked" and "cpu_features" not in info, info)
    p.cmd("kill", "g")
    ended(g, 4)
    r = p.run(env={"PVHV_FAKE": "cpuid-refused"}, do=["poweroff"])
    check(r.returncode == 0 and b"CPUID is raw" in r.stdout, r)
    for fake, words in (("cpuid-faulting", b", CPUID faults\n"), ("", b", CPUID is raw\n")):
        r = p.cmd("check", env={"PVHV_FAKE": fake})
        check(b"ok ready" not in r.stdout or words in r.stdout, r)


@test
def address_space_limit(p):
    if "sanitized" in PVHV:
        return  # needs terabytes of it
    r = subprocess.run(["bash", "-c", 'ulimit -v 1000000; exec "$0" "$@"'] +
                       p.args("--memory", "4G"), capture_output=True, env=p.env, timeout=TIMEOUT)
    one_line(r, 2, b"no 4096 MiB of memory", b"ulimit -v")
    no_leftovers(p)


@test
def memory_is_not_populated(p):
    g = p.start("--memory", "512G")
    try:
        read_until(g.stdout, b"cmdline")
    except Failure:
        if b"MiB of memory" in g.stderr.read():
            return  # this machine does not overcommit
        raise
    rss = int(re.search(r"VmRSS:\s+(\d+)", open("/proc/%d/status" % g.pid).read()).group(1))
    check(rss < (200 if "sanitized" in PVHV else 30) * 1024, "RSS of %d KiB" % rss)


# -- output is never lost


@test
def flood_through_a_slow_pipe(p):
    g = p.start(do=["flood:20000", "poweroff"])
    time.sleep(0.5)
    got = b""
    while True:
        more = os.read(g.stdout.fileno(), 3000)
        if not more:
            break
        got += more
        if len(got) < 60000:
            time.sleep(0.02)
    check(got.count(b"of the flood\r\n") == 20000 and b"line 19999 of" in got, len(got))
    ended(g, 0)


@test
def blocked_stdout_blocks_only_the_guest(p):
    g = p.start(do=["flood:20000", "poweroff"])
    time.sleep(0.5)
    r = p.cmd("info", "g")
    check(b"state          running" in r.stdout, r.stdout)
    check(p.cmd("list").stdout.count(b"\n") == 2, "list")
    out = ended(g, 0)
    check(out.count(b"of the flood") == 20000, "lost output")


@test
def killed_with_blocked_stdout(p):
    g = p.start(do=["flood:200000"])
    time.sleep(0.3)
    start = time.monotonic()
    r = p.cmd("kill", "g")
    check(r.returncode == 0 and time.monotonic() - start < 9, r)
    ended(g, 4)


@test
def stdout_is_left_blocking(p):
    import fcntl
    r, w = os.pipe()
    g = p.start(do=["poweroff"], stdout=w)
    ended(g, 0)
    check(not fcntl.fcntl(w, fcntl.F_GETFL) & os.O_NONBLOCK, "O_NONBLOCK was set")
    os.close(r)
    os.close(w)


@test
def reader_that_goes_away_stops_the_guest(p):
    g = p.start(do=["flood:200000"])
    read_until(g.stdout, b"line 5 ")
    g.stdout.close()
    g.stdout = None
    check(g.wait(TIMEOUT) == 0, "status", g.returncode)


@test
def console_file_is_appended_to(p):
    path = p.file("log", b"before\n")
    r = p.run("--console", "file:" + path, do=["flood:5000", "poweroff"])
    check(r.returncode == 0 and r.stdout == b"", r)
    text = open(path, "rb").read()
    check(text.startswith(b"before\nfake guest") and text.count(b"flood\r\n") == 5000, len(text))


@test
def console_file_that_is_full(p):
    if not os.path.exists("/dev/full"):
        return
    r = p.run("--console", "file:/dev/full", do=["flood:5000", "poweroff"])
    one_line(r, 0, b"output is lost", b"No space left")


# -- input


@test
def input_reaches_the_guest(p):
    r = p.run(input=b"hello\nworld\npoweroff\n")
    check(r.returncode == 0, r)
    check(b"you said: hello\r\n" in r.stdout and b"you said: world\r\n" in r.stdout, r.stdout)


@test
def much_input_is_not_lost(p):
    lines = b"".join(b"number %d\n" % i for i in range(20000))
    r = p.run(input=lines + b"poweroff\n")
    check(r.returncode == 0 and r.stdout.count(b"you said: number") == 20000, r.returncode,
          r.stdout.count(b"you said"))


@test
def end_of_input_is_not_the_end(p):
    g = p.start(stdin=subprocess.DEVNULL)
    read_until(g.stdout, b"cmdline")
    time.sleep(0.3)
    check(g.poll() is None, "it ended")
    # and no spinning
    t = os.times()
    before = sum(float(x) for x in open("/proc/%d/stat" % g.pid).read().rsplit(")")[1].split()[11:13])
    time.sleep(1)
    after = sum(float(x) for x in open("/proc/%d/stat" % g.pid).read().rsplit(")")[1].split()[11:13])
    check(after - before < 20, "it is spinning", t)
    check(p.cmd("stop", "g").returncode == 0, "stop")
    ended(g, 0)


@test
def closed_standard_files(p):
    for close in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        r = subprocess.run(["bash", "-c", 'exec "$0" "$@" ' + close] + p.args(do=["poweroff"]),
                           capture_output=True, env=p.env, stdin=subprocess.DEVNULL,
                           timeout=TIMEOUT)
        check(r.returncode == 0, close, r)


@test
def input_from_a_file(p):
    with open(p.file("script", b"one\ntwo\npoweroff\n")) as f:
        g = p.start(stdin=f)
        out = ended(g, 0)
    check(b"you said: two" in out, out)


# -- terminals


class Terminal:
    """A process on a new terminal, its controlling one"""

    def __init__(self, p, args):
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self.slave = slave

        def child():
            os.setsid()
            import fcntl
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.proc = subprocess.Popen(args, stdin=slave, stdout=slave, stderr=slave, env=p.env,
                                     preexec_fn=child)
        p.procs.append(self.proc)

    def lflag(self):
        return termios.tcgetattr(self.slave)[3]

    def is_raw(self):
        return not self.lflag() & (termios.ICANON | termios.ECHO | termios.ISIG)

    def restored(self):
        now = termios.tcgetattr(self.slave)
        return now[:4] == self.before[:4]

    def expect(self, text):
        return read_until(self.master, text)

    def type(self, data):
        os.write(self.master, data)

    def wait(self, status):
        out = b""
        end = time.monotonic() + TIMEOUT
        while self.proc.poll() is None and time.monotonic() < end:
            if select.select([self.master], [], [], 0.05)[0]:
                out += os.read(self.master, 65536)
        while select.select([self.master], [], [], 0.1)[0]:
            out += os.read(self.master, 65536)
        check(self.proc.returncode == status, "status", self.proc.returncode, out)
        check(self.restored(), "the terminal is not as it was")
        os.close(self.master)
        os.close(self.slave)
        return out


@test
def terminal_is_raw_and_restored(p):
    t = Terminal(p, p.args())
    t.expect(b"cmdline")
    until(t.is_raw, "raw mode")
    t.type(b"good day\r")
    out = t.expect(b"you said: good day\r\n")
    check(out.count(b"good day") == 1, "echo", out)
    # these are for the guest
    t.type(b"\x03\x1a\x1c\x04x\r")
    t.expect(b"you said: \x03\x1a\x1c\x04x\r\n")
    t.type(ESC + b"?")
    t.expect(b"kill the guest and quit\r\n")
    t.type(ESC + ESC + b"\r")
    t.expect(b"you said: " + ESC + b"\r\n")
    t.type(ESC + b"q")
    t.wait(4)
    no_leftovers(p)


@test
def terminal_after_poweroff(p):
    t = Terminal(p, p.args())
    t.expect(b"cmdline")
    t.type(b"poweroff\r")
    t.wait(0)


@test
def terminal_after_a_crash(p):
    t = Terminal(p, p.args())
    t.expect(b"cmdline")
    t.type(b"flood:2000\rcrash:boom\r")
    out = t.wait(3)
    check(b"line 1999 of" in out and out.endswith(b"pvhv: domain g crashed: panic: boom\r\n"), out)


@test
def terminal_after_signals(p):
    for sig, status in ((signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 0),
                        (signal.SIGSEGV, -signal.SIGSEGV), (signal.SIGABRT, -signal.SIGABRT)):
        if "sanitized" in PVHV and sig == signal.SIGSEGV:
            continue  # the sanitizer's own
        t = Terminal(p, p.args())
        t.expect(b"cmdline")
        until(t.is_raw, "raw mode")
        t.proc.send_signal(sig)
        t.wait(status)
        p.cmd("list")  # removes what the last ones leave
        no_leftovers(p)


@test
def terminal_when_suspended(p):
    t = Terminal(p, p.args())
    t.expect(b"cmdline")
    until(t.is_raw, "raw mode")
    t.proc.send_signal(signal.SIGTSTP)
    until(lambda: open("/proc/%d/stat" % t.proc.pid).read().rsplit(")")[1].split()[0] == "T",
          "suspended")
    check(t.restored(), "not restored")
    t.proc.send_signal(signal.SIGCONT)
    until(t.is_raw, "raw mode again")
    t.type(b"poweroff\r")
    t.wait(0)


@test
def background_leaves_the_terminal_alone(p):
    t = Terminal(p, ["bash", "--norc", "-im"])
    t.type(b"PS1=prompt-; stty -echo\r")
    t.expect(b"prompt-")
    t.type((" ".join("'%s'" % a for a in p.args()) + " & sleep 1; jobs\r").encode())
    out = t.expect(b"Running")
    check(b"Stopped" not in out, out)
    check(not t.is_raw(), "raw from the background")
    t.type(b"fg\r")
    until(t.is_raw, "raw in the foreground")
    t.type(b"poweroff\r")
    until(lambda: not t.is_raw(), "restored")
    # bash restores its own settings for itself
    t.type(b"exit 0\r")
    t.proc.wait(TIMEOUT)


@test
def terminal_that_hangs_up(p):
    t = Terminal(p, p.args())
    t.expect(b"cmdline")
    os.close(t.slave)
    os.close(t.master)
    check(t.proc.wait(TIMEOUT) == 0, "status", t.proc.returncode)


@test
def pty_console(p):
    g = p.start("--console", "pty", do=["flood:3000"])
    line = g.stdout.readline().decode()
    match = re.fullmatch(r"pvhv: domain g: console on (/dev/pts/\d+)\n", line)
    check(match, line)
    check(b"pty:" + match.group(1).encode() in p.cmd("info", "g").stdout, "info")
    # nobody reads, so the flood must not hold up the guest
    until(lambda: re.search(rb"console_out_bytes +\d{5}", p.cmd("stat", "g").stdout), "flood")
    fd = os.open(match.group(1), os.O_RDWR | os.O_NOCTTY)
    tty.setraw(fd)
    read_until(fd, b"line 2999 of the flood")
    os.write(fd, b"hello\n")
    read_until(fd, b"you said: hello\r\n")
    os.close(fd)
    time.sleep(0.2)
    fd = os.open(match.group(1), os.O_RDWR | os.O_NOCTTY)
    read_until(fd, b"you said: hello\r\n")
    os.write(fd, b"flood:100\npoweroff\n")
    read_until(fd, b"line 99 of the flood\r\n")
    os.close(fd)
    ended(g, 0)


# -- signals


@test
def sigterm_asks_first(p):
    g = p.start()
    read_until(g.stdout, b"cmdline")
    g.send_signal(signal.SIGTERM)
    ended(g, 0)
    no_leftovers(p)


@test
def second_signal_kills(p):
    for sig in (signal.SIGTERM, signal.SIGINT):
        g = p.start(do=["deaf"])
        read_until(g.stdout, b"cmdline")
        g.send_signal(sig)
        time.sleep(0.1)
        g.send_signal(sig)  # too soon: counts as the same
        time.sleep(1.5)
        check(g.poll() is None, "killed by the first one")
        g.send_signal(sig)
        ended(g, 128 + sig)
        no_leftovers(p)


@test
def signal_when_paused(p):
    g = p.start()
    read_until(g.stdout, b"cmdline")
    check(p.cmd("pause", "g").returncode == 0, "pause")
    g.send_signal(signal.SIGTERM)
    ended(g, 0)


@test
def sigkill_leaves_a_stale_socket_at_most(p):
    g = p.start()
    read_until(g.stdout, b"cmdline")
    g.kill()
    g.wait()
    check(os.listdir(p.run_dir) == ["g.sock"], os.listdir(p.run_dir))
    one_line(p.cmd("info", "g"), 1, b"g: no domain of this name")
    no_leftovers(p)
    g = p.start()
    read_until(g.stdout, b"cmdline")
    g.kill()
    g.wait()
    r = p.run(do=["poweroff"])
    check(r.returncode == 0, r)
    no_leftovers(p)


# -- the other commands


@test
def names_are_taken_once(p):
    g = p.start()
    read_until(g.stdout, b"cmdline")
    one_line(p.run(), 1, b"g: a domain of this name exists: give another --name")
    check(p.cmd("info", "g").returncode == 0, "the first one is gone")


@test
def names_are_claimed_by_one_of_many(p):
    gs = [p.start(stdout=subprocess.DEVNULL) for _ in range(12)]
    until(lambda: sum(g.poll() is None for g in gs) == 1, "one winner")
    check(all(g.returncode == 1 for g in gs if g.poll() is not None), "status of losers")
    check(p.cmd("info", "g").returncode == 0, "the winner answers")


@test
def list_and_info(p):
    check(p.cmd("list").stdout.startswith(b"NAME "), "empty list")
    check(json.loads(p.cmd("list", "--json").stdout) == [], "empty list in JSON")
    a = p.start("--memory", "1G", name="b.2")
    b = p.start("--initrd", p.initrd, name="a_1", do=["x"])
    for g in (a, b):
        read_until(g.stdout, b"cmdline")
    rows = p.cmd("list").stdout.decode().splitlines()[1:]
    check([r.split()[:4] for r in rows] == [["a_1", str(b.pid), "running", "256M"],
                                            ["b.2", str(a.pid), "running", "1G"]], rows)
    items = json.loads(p.cmd("list", "--json").stdout)
    check([i["name"] for i in items] == ["a_1", "b.2"] and items[1]["memory"] == 1 << 30 and
          items[0]["reason"] is None and items[0]["pid"] == b.pid, items)
    info = json.loads(p.cmd("info", "--json", "a_1").stdout)
    check(info["kernel"] == p.kernel and info["initrd"] == p.initrd and info["state"] == "running" and
          info["kernel_format"] == "vmlinux" and info["cmdline"] == "console=hvc0 do=x" and
          info["console"] == "stdio" and info["vcpus"] == 1 and "registers" not in info, info)
    check(p.cmd("pause", "a_1").returncode == 0, "pause")
    check(p.cmd("pause", "a_1").returncode == 0, "pause twice")
    info = json.loads(p.cmd("info", "--json", "a_1").stdout)
    check(info["state"] == "paused" and len(info["registers"]) == 1, info)
    regs = info["registers"][0]
    check(regs["vcpu"] == 0 and regs["rip"] == "ffffffff80200000" and
          regs["rsi"] == "0000000000001000" and regs["cs"] == "0033" and
          regs["mode"] == "kernel", info)
    text = p.cmd("info", "a_1").stdout.decode()
    check("rip     ffffffff80200000" in text and "memory         256M" in text, text)
    check(p.cmd("resume", "a_1").returncode == 0, "resume")
    check(b"running" in p.cmd("info", "a_1").stdout, "running again")


@test
def odd_paths_in_info(p):
    name = os.path.join(p.dir, 'k"\n\x1b[31m\\x0a\u00e9')
    os.rename(p.kernel, name)
    g = p.start(kernel=name)
    read_until(g.stdout, b"cmdline")
    check(json.loads(p.cmd("info", "--json", "g").stdout)["kernel"] == name, "JSON")
    check(b"\x1b" not in p.cmd("info", "g").stdout, "an escape sequence")


@test
def paused_guest_stays_paused(p):
    g = p.start()
    read_until(g.stdout, b"cmdline")
    p.cmd("pause", "g")
    # what it had printed before may still be on its way
    while select.select([g.stdout], [], [], 0.5)[0]:
        os.read(g.stdout.fileno(), 4096)
    g.stdin.write(b"hello\n")
    g.stdin.flush()
    check(not select.select([g.stdout], [], [], 0.5)[0], "it went on")
    p.cmd("resume", "g")
    read_until(g.stdout, b"you said: hello")
    p.cmd("pause", "g")
    check(p.cmd("stop", "g").returncode == 0, "stop of a paused domain")
    ended(g, 0)


@test
def stop_waits_and_gives_up(p):
    g = p.start(do=["deaf"])
    read_until(g.stdout, b"cmdline")
    r = p.cmd("stop", "--timeout", "0.3", "g")
    one_line(r, 1, b"still there", b"pvhv kill g")
    check(p.cmd("stop", "--timeout", "0", "g").returncode == 0, "without waiting")
    check(g.poll() is None, "it ended")
    check(p.cmd("kill", "g").returncode == 0, "kill")
    ended(g, 4)


@test
def preserved_crash(p):
    g = p.start("--on-crash", "preserve", do=["flood:10", "crash:oh_no"])
    read_until(g.stderr, b"pvhv kill g ends it")
    row = p.cmd("list").stdout.decode().splitlines()[1]
    check("crashed" in row and "panic: oh no" in row, row)
    info = json.loads(p.cmd("info", "--json", "g").stdout)
    check(info["state"] == "crashed" and info["reason"] == "panic: oh no" and
          "rip" in info["registers"][0], info)
    one_line(p.cmd("pause", "g"), 1, b"the domain has ended (crashed); pvhv kill takes it")
    one_line(p.cmd("stop", "g"), 1, b"the domain has ended (crashed)")
    check(p.cmd("stat", "g").returncode == 0, "stat")
    c = subprocess.Popen([PVHV, "console", "g"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, env=p.env)
    p.procs.append(c)
    read_until(c.stdout, b"line 9 of the flood")
    check(p.cmd("kill", "g").returncode == 0, "kill")
    ended(g, 3)
    no_leftovers(p)


@test
def preserved_crash_on_a_terminal(p):
    t = Terminal(p, p.args("--on-crash", "preserve"))
    t.expect(b"cmdline")
    t.type(b"crash:boom\r")
    t.expect(b"ends it\r\n")
    t.type(b"anybody there?\r")
    t.type(ESC + b".")
    t.wait(3)


@test
def preserved_crash_and_sigterm(p):
    g = p.start("--on-crash", "preserve", do=["crash:oh_no"])
    read_until(g.stderr, b"ends it")
    g.send_signal(signal.SIGTERM)
    ended(g, 3)


@test
def stat_command(p):
    g = p.start()
    read_until(g.stdout, b"cmdline")
    text = p.cmd("stat", "g").stdout.decode()
    check(re.search(r"^runs +2 +[\d.]+$", text, re.M), text)
    check(re.search(r"^shadow_pages_now +7 +-$", text, re.M), text)
    check("twenty_three_characters  18446744073709551615" in text, text)
    r = p.cmd("stat", "--interval", "0.2", "--count", "3", "--json", "g")
    samples = [json.loads(line) for line in r.stdout.splitlines()]
    check(len(samples) == 3 and all(0.1 < s["seconds"] < 20 for s in samples), samples)
    check(samples[0]["counters"]["runs"] == {"total": 2, "rate": 0} and
          samples[0]["counters"]["shadow_pages_now"] == {"total": 7, "rate": None}, samples)
    s = subprocess.Popen([PVHV, "stat", "--interval", "0.1", "g"], stdout=subprocess.PIPE, env=p.env)
    p.procs.append(s)
    read_until(s.stdout, b"COUNTER")
    p.cmd("kill", "g")
    check(s.wait(TIMEOUT) == 0, "status of stat when the domain ends", s.returncode)
    for args in (["--interval", "0"], ["--interval", "x"], ["--count", "0"], ["--count", "-1"]):
        one_line(p.cmd("stat", *args, "g"), 1, args[0].encode())


@test
def no_such_domain(p):
    for command in ("info", "console", "pause", "resume", "stop", "kill", "stat"):
        one_line(p.cmd(command, "nobody"), 1, b"nobody: no domain of this name")
        one_line(p.cmd(command), 1, b"give the NAME")
        one_line(p.cmd(command, "a", "b"), 1, b"one NAME only")
        one_line(p.cmd(command, "a/b"), 1, b"a name has")
        one_line(p.cmd(command, "--bogus", "a"), 1, b"unknown option --bogus")


@test
def help_and_version(p):
    r = p.cmd("help")
    commands = re.findall(rb"^  (\w+)  ", r.stdout, re.M)
    check(len(commands) == 15 and r.returncode == 0, commands)
    for command in commands:
        r = p.cmd("help", command.decode())
        check(r.returncode == 0 and r.stdout.startswith(b"usage: pvhv " + command), r)
        if command not in (b"help", b"version"):
            check(p.cmd(command.decode(), "--help").stdout == r.stdout, command)
    one_line(p.cmd("help", "nonsense"), 1, b"not a command")
    one_line(p.cmd("nonsense"), 1, b"not a command")
    one_line(p.cmd(), 1, b"give a command")
    check(b"API version 1" in p.cmd("version").stdout, "version")
    check(p.cmd("--version").returncode == 0 and p.cmd("--help").returncode == 0, "options")


@test
def check_command(p):
    r = p.cmd("check")
    check(r.returncode in (0, 2), r)
    for line in r.stdout.decode().splitlines():
        check(re.fullmatch(r"(error|warning) [a-z-]+: .+; .+|ok ready: .*", line), line)
    r = p.cmd("check", env={"PVHV_FAKE": "denied"})
    check(r.returncode == 2 and b"error no-permission: " in r.stdout, r)
    found = json.loads(p.cmd("check", "--json", env={"PVHV_FAKE": "other-version"}).stdout)
    check(not found["ready"] and "api-mismatch" in [x["type"] for x in found["problems"]], found)


# -- attached consoles


@test
def console_of_two(p):
    g = p.start(do=["flood:5"])
    read_until(g.stdout, b"line 4")
    t = Terminal(p, [PVHV, "console", "g"])
    t.expect(b"line 4 of the flood\r\n")  # what was printed before
    until(t.is_raw, "raw mode")
    c = subprocess.Popen([PVHV, "console", "g"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         env=p.env)
    p.procs.append(c)
    read_until(c.stdout, b"line 4")
    t.type(b"from the terminal\r")
    for f in (t.master, c.stdout, g.stdout):
        read_until(f, b"you said: from the terminal\r\n")
    c.stdin.write(b"from the pipe\n")
    c.stdin.close()
    for f in (t.master, c.stdout, g.stdout):
        read_until(f, b"you said: from the pipe\r\n")
    t.type(ESC + b"?")
    t.expect(b"the guest goes on")
    t.type(ESC + b"q")
    check(b"detached from g" in t.wait(0), "no goodbye")
    check(g.poll() is None and c.poll() is None, "the guest ended")
    g.stdin.write(b"flood:3000\npoweroff\n")
    g.stdin.flush()
    out = ended(g, 0)
    check(out.count(b"of the flood") == 3000, "stdout of the launcher")
    c.stdin = None
    rest, _ = c.communicate(timeout=TIMEOUT)
    check(c.returncode == 0 and rest.count(b"of the flood") == 3000, "stdout of the console")


@test
def console_that_does_not_read(p):
    g = p.start(stdout=subprocess.DEVNULL)
    until(lambda: p.cmd("info", "g").returncode == 0, "up")
    s = p.connect()
    s.sendall(b"console\n")
    check(s.file.readline() == b"ok\n", "ok")
    g.stdin.write(b"flood:100000\nafterwards\n")
    g.stdin.flush()
    until(lambda: re.search(rb"console_out_bytes +2\d{6}", p.cmd("stat", "g").stdout),
          "the flood is held up")
    got = read_until(s.fileno(), b"bytes skipped]\r\n")
    check(len(got) > 200000, "much was kept", len(got))
    s.sendall(b"poweroff\n")
    ended(g, 0)


@test
def console_signals(p):
    g = p.start()
    read_until(g.stdout, b"cmdline")
    t = Terminal(p, [PVHV, "console", "g"])
    until(t.is_raw, "raw mode")
    t.proc.send_signal(signal.SIGTERM)
    t.wait(143)
    t = Terminal(p, [PVHV, "console", "g"])
    until(t.is_raw, "raw mode")
    g.kill()
    check(b"the end of g" in t.wait(0), "no goodbye")


# -- bad clients


def ask(s, line):
    s.sendall(line)
    answer = []
    while True:
        got = s.file.readline()
        answer.append(got)
        if not got.startswith(b"="):
            return answer


@test
def bad_requests(p):
    g = p.start(stdout=subprocess.DEVNULL)
    until(lambda: p.cmd("info", "g").returncode == 0, "up")
    for line in (b"\n", b"a b c\n", b" info\n", b"info \n", b"\0\n", b"caf\xc3\xa9\n", b"info\r\n",
                 b"x" * MAX_REQUEST, b"x" * 3 * MAX_REQUEST + b"\n"):
        s = p.connect()
        try:
            check(ask(s, line)[0].startswith(b"error bad-request "), line)
            check(s.file.read() == b"", "it did not hang up")
        except (ConnectionResetError, BrokenPipeError):
            check(len(line) > MAX_REQUEST, "reset", line)
    s = p.connect()
    check(ask(s, b"x" * (MAX_REQUEST - 1) + b"\n")[0].startswith(b"error failed "), "longest")
    check(ask(s, b"unknown\n")[0].startswith(b"error failed "), "unknown")
    check(ask(s, b"regs 99\n")[0].startswith(b"error failed "), "vCPU 99")
    check(ask(s, b"regs -1\n")[0].startswith(b"error failed "), "vCPU -1")
    # its thread may not have got there
    until(lambda: ask(s, b"regs\n")[0].startswith(b"error state "), "registers of a running vCPU")
    for line in (b"cpus x", b"cpu-pin", b"cpu-pin 0", b"cpu-pin 0,", b"cpu-pin ,0", b"cpu-pin 1,0",
                 b"cpu-pin -1,0", b"cpu-pin " + b"9" * 100 + b",0", b"cpu-pin 0,0-", b"cpu-pin 0,8192",
                 b"cpu-pin 0," + b"0," * 3000, b"cpu-set", b"cpu-set 0", b"cpu-set 2", b"cpu-set -1",
                 b"cpu-set 65", b"cpu-set 99999999999999999999"):
        check(ask(s, line + b"\n")[0].startswith(b"error failed "), line)
    check(ask(s, b"info\n")[-1] == b"ok\n", "info")
    # several at once, and one byte at a time
    s.sendall(b"info\nstats\nnonsense\ninfo\n")
    lines = [s.file.readline() for _ in range(1)]
    while lines.count(b"ok\n") < 3:
        lines.append(s.file.readline())
    check(sum(x.startswith(b"error") for x in lines) == 1, lines)
    for c in b"info\n":
        s.sendall(bytes([c]))
        time.sleep(0.01)
    check(ask(s, b"")[-1] == b"ok\n", "byte by byte")
    check(g.poll() is None, "the launcher ended")


@test
def many_idle_clients(p):
    g = p.start(stdout=subprocess.DEVNULL)
    until(lambda: p.cmd("info", "g").returncode == 0, "up")
    idle = [p.connect() for _ in range(100)]
    check(p.cmd("info", "g").returncode == 0, "info")
    c = p.connect()
    check(ask(c, b"console\n") == [b"ok\n"], "console")
    more = [p.connect() for _ in range(100)]
    c.sendall(b"hello\n")
    read_until(c.fileno(), b"you said: hello")
    check(p.cmd("kill", "g").returncode == 0, "kill")
    ended(g, 4)
    del idle, more


@test
def client_that_does_not_take_answers(p):
    g = p.start(stdout=subprocess.DEVNULL)
    until(lambda: p.cmd("info", "g").returncode == 0, "up")
    s = p.connect()
    s.setblocking(False)
    sent = 0
    end = time.monotonic() + 3
    while time.monotonic() < end:
        try:
            sent += s.send(b"info\n" * 1000)
        except BlockingIOError:
            if sent:
                break
            time.sleep(0.01)
    check(p.cmd("info", "g").returncode == 0, "others are held up")
    rss = int(re.search(r"VmRSS:\s+(\d+)", open("/proc/%d/status" % g.pid).read()).group(1))
    check(rss < 300 * 1024, "RSS of %d KiB" % rss)
    check(p.cmd("stop", "g").returncode == 0, "stop")
    ended(g, 0)


@test
def clients_that_come_and_go(p):
    g = p.start(stdout=subprocess.DEVNULL)
    until(lambda: p.cmd("info", "g").returncode == 0, "up")

    def hammer(seed):
        for i in range(60):
            try:
                s = p.connect(greet=False)
                kind = (seed + i) % 5
                if kind == 0:
                    s.close()
                elif kind == 1:
                    s.sendall(b"info\n")
                    s.close()
                elif kind == 2:
                    s.sendall(b"console\nhello\n")
                    s.recv(10)
                    s.close()
                elif kind == 3:
                    s.sendall(b"console\n")
                    s.shutdown(socket.SHUT_WR)
                    s.recv(10)
                    s.close()
                else:
                    s.sendall(b"stats\n" * 3)
                    s.recv(10)
                    s.close()
            except OSError:
                pass

    threads = [threading.Thread(target=hammer, args=(i,), daemon=True) for i in range(6)]
    for t in threads:
        t.start()
    g.stdin.write(b"flood:5000\n")
    g.stdin.flush()
    for t in threads:
        t.join()
    check(p.cmd("info", "g").returncode == 0, "info")
    until(lambda: len(os.listdir("/proc/%d/fd" % g.pid)) < 25, "descriptors are closed")
    check(p.cmd("kill", "g").returncode == 0, "kill")
    ended(g, 4)


@test
def launcher_that_hangs(p):
    g = p.start(stdout=subprocess.DEVNULL)
    h = p.start(stdout=subprocess.DEVNULL, name="h")
    until(lambda: p.cmd("info", "g").returncode == 0 and p.cmd("info", "h").returncode == 0, "up")
    g.send_signal(signal.SIGSTOP)
    rows = p.cmd("list").stdout.decode().splitlines()[1:]
    check("unresponsive" in rows[0] and "running" in rows[1], rows)
    one_line(p.cmd("info", "g"), 1, b"does not answer")
    g.send_signal(signal.SIGCONT)
    check(p.cmd("info", "g").returncode == 0, "it is back")


@test
def sockets_that_lie(p):
    os.mkdir(p.run_dir, 0o700)
    s = socket.socket(socket.AF_UNIX)
    s.bind(os.path.join(p.run_dir, "liar.sock"))
    s.listen()
    answers = [b"pvhv-control 2 liar\n", b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 200000,
               b"pvhv-control 1 liar\n" + b"=a b\n" * 300000,
               b"pvhv-control 1 liar\nnonsense\n", b"pvhv-control 1 liar\n", b"",
               b"pvhv-control 1 liar\nerror busy too many clients\n"]

    def serve():
        for a in answers:
            c, _ = s.accept()
            try:
                c.sendall(a)
                c.shutdown(socket.SHUT_WR)
                c.recv(100)
            except OSError:
                pass
            c.close()

    t = threading.Thread(target=serve, daemon=True)
    t.start()
    for words in (b"another version of pvhv", b"nonsense", b"nonsense", b"nonsense", b"nonsense",
                  b"just ended", b"just ended", b"too many clients"):
        one_line(p.cmd("info", "liar"), 1, words)
    t.join()
    s.close()
    p.cmd("list")
    no_leftovers(p)


# -- the runtime directory


@test
def runtime_directories(p):
    check(p.run(do=["poweroff"]).returncode == 0, "made")
    check(stat_mode(p.run_dir) == 0o700, "mode", oct(stat_mode(p.run_dir)))
    g = p.start()
    read_until(g.stdout, b"cmdline")
    check(stat_mode(os.path.join(p.run_dir, "g.sock")) == 0o600, "mode of the socket")
    ended_by_kill = p.cmd("kill", "g")
    check(ended_by_kill.returncode == 0, "kill")
    ended(g, 4)
    os.chmod(p.run_dir, 0o777)
    one_line(p.run(), 1, b"can be changed by others")
    os.chmod(p.run_dir, 0o1777)
    check(p.run(do=["poweroff"]).returncode == 0, "sticky")
    os.rmdir(p.run_dir)
    os.symlink("/tmp", p.run_dir)
    one_line(p.run(), 1, b"cannot be used")
    os.unlink(p.run_dir)
    p.file("run", b"")
    one_line(p.run(), 1, b"cannot be used")
    one_line(p.run(env={"PVHV_RUNTIME_DIR": "/nonexistent/dir"}), 1, b"cannot be made")


def stat_mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@test
def directories_by_default(p):
    if os.getuid() != 0:
        return  # becomes another user below
    uid = 61234
    os.chmod(p.dir, 0o755)
    del p.env["PVHV_RUNTIME_DIR"]
    p.env["XDG_RUNTIME_DIR"] = "/nonexistent"
    fallback = "/tmp/pvhv-%d" % uid

    def as_user(*args):
        return subprocess.run(args, capture_output=True, env=p.env, stdin=subprocess.DEVNULL,
                              preexec_fn=lambda: (os.setgroups([]), os.setgid(uid), os.setuid(uid)),
                              timeout=TIMEOUT)

    def clean():
        subprocess.run(["rm", "-rf", fallback])

    if as_user(PVHV, "version").returncode != 0 or os.access("/run/pvhv", os.F_OK) and \
            stat_mode("/run/pvhv") & 0o22:
        return  # that user cannot get here, or /run/pvhv is for all
    clean()
    try:
        r = as_user(*p.args("--memory", "64M", do=["poweroff"]))
        check(r.returncode == 0, r)
        check(stat_mode(fallback) == 0o700 and os.stat(fallback).st_uid == uid, "mode or owner")
        # somebody was there first
        os.chown(fallback, uid + 1, uid)
        os.chmod(fallback, 0o755)
        one_line(as_user(*p.args()), 1, b"belongs to user %d" % (uid + 1))
        clean()
        os.symlink("/", fallback)
        one_line(as_user(*p.args()), 1, b"cannot be used")
        clean()
        # the session's directory comes before it
        xdg = p.path("xdg")
        os.mkdir(xdg, 0o700)
        os.chown(xdg, uid, uid)
        p.env["XDG_RUNTIME_DIR"] = xdg
        r = as_user(*p.args("--memory", "64M", do=["poweroff"]))
        check(r.returncode == 0 and os.listdir(xdg) == ["pvhv"] and not os.path.exists(fallback), r)
        # another user's socket in a shared directory
        p.run_dir = p.path("shared")
        os.mkdir(p.run_dir)
        os.chmod(p.run_dir, 0o1777)
        p.env["PVHV_RUNTIME_DIR"] = p.run_dir
        g = p.start()
        read_until(g.stdout, b"cmdline")
        one_line(as_user(PVHV, "kill", "g"), 1, b"belongs to another user")
        check(as_user(PVHV, "list").stdout.count(b"\n") == 1, "list")
        one_line(as_user(*p.args()), 1, b"exists: give another --name")
        check(p.cmd("kill", "g").returncode == 0, "kill")
        ended(g, 4)
    finally:
        clean()


@test
def long_runtime_directory(p):
    p.run_dir = os.path.join(p.dir, "d" * 200)
    p.env["PVHV_RUNTIME_DIR"] = p.run_dir
    name = "n" * 64
    g = p.start(name=name)
    read_until(g.stdout, b"cmdline")
    check(p.cmd("info", name).returncode == 0, "info")
    check(p.cmd("kill", name).returncode == 0, "kill")
    ended(g, 4)
    no_leftovers(p)


@test
def socket_names_that_are_something_else(p):
    os.mkdir(p.run_dir, 0o700)
    p.file("run/g.sock", b"a file")
    os.symlink("/nonexistent", p.path("run/link.sock"))
    p.file("run/bad name.sock", b"")
    one_line(p.run(), 1, b"a domain of this name exists")
    one_line(p.run(name="link"), 1, b"a domain of this name exists")
    check(p.cmd("list").stdout.count(b"\n") == 1, "list")
    check(len(os.listdir(p.run_dir)) == 3, "something else was removed")


@test
def locked_runtime_directory(p):
    import fcntl
    os.mkdir(p.run_dir, 0o700)
    fd = os.open(p.run_dir, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    g = p.start()
    time.sleep(0.5)
    check(g.poll() is None, "it did not wait")
    fcntl.flock(fd, fcntl.LOCK_UN)
    read_until(g.stdout, b"cmdline")
    os.close(fd)


# -- disks and network devices


def devices(p, g, name="g"):
    """What the guest @g sees of its devices"""
    g.stdin.write(b"devices\n")
    g.stdin.flush()
    text = read_until(g.stdout, b"no more devices\r\n").decode()
    return re.findall(r"^((?:disk|net) .*)\r$", text, re.M)


def listed(p, what, name="g"):
    return json.loads(p.cmd(what, "list", "--json", name).stdout)


def tell(g, word, answer=b""):
    g.stdin.write(word + b"\n")
    g.stdin.flush()
    if answer:
        read_until(g.stdout, answer)


@test
def run_with_devices(p):
    a, b = p.file("a,b", b"A" * 4096), p.file("b", b"B" * 8192)
    g = p.start("--disk", "path=" + a.replace(",", ",,") + ",serial=S-1,queues=3",
                "--disk", "path=" + b + ",ro,cache=writeback",
                "--net", "bridge=br0,mac=02:00:00:00:00:0A,queues=2,mtu=9000", "--net", name="g")
    read_until(g.stdout, b"cmdline")
    seen = devices(p, g)
    check(seen[:2] == ["disk 0: size 4096 flags 0 queues 3 serial S-1 first A",
                       "disk 1: size 8192 flags 3 queues 0 serial  first B"], seen)
    check(seen[2] == "net 0: vif1.0 mac 02:00:00:00:00:0a bridge br0 up queues 2 mtu 9000", seen)
    check(re.fullmatch(r"net 1: vif1.1 mac .[26ae]:\S+ bridge  up queues 0 mtu 0", seen[3]), seen)
    disks = listed(p, "disk")
    check([(d["name"], d["state"], d["size"], d["mode"], d["cache"], d["path"]) for d in disks] ==
          [("pvda", "connected", 4096, "rw", "none", a),
           ("pvdb", "connected", 8192, "ro", "writeback", b)], disks)
    nets = listed(p, "net")
    check([n["name"] for n in nets] == ["vif1.0", "vif1.1"] and nets[0]["bridge"] == "br0" and
          nets[0]["mtu"] == 9000 and nets[0]["mac"] == "02:00:00:00:00:0a", nets)
    text = p.cmd("disk", "list", "g").stdout.decode()
    check(text.startswith("NAME ") and len(text.splitlines()) == 3 and "S-1" in text, text)
    text = p.cmd("net", "list", "g").stdout.decode()
    check(text.startswith("NAME ") and len(text.splitlines()) == 3 and "br0" in text, text)
    info = json.loads(p.cmd("info", "--json", "g").stdout)
    check(info["disks"] == 2 and info["nets"] == 2 and info["disk_list"] == disks and
          info["net_list"] == nets, info)
    check(b"pvdb" in p.cmd("info", "g").stdout, "info")
    row = p.cmd("list").stdout.decode().splitlines()[1].split()
    check(row[4:7] == ["1", "2", "2"], row)
    p.cmd("stop", "g")
    ended(g, 0)


@test
def mac_address_is_kept(p):
    macs = []
    for name in ("one", "one", "two"):
        g = p.start("--net", "--net", name=name)
        read_until(g.stdout, b"cmdline")
        macs.append([n["mac"] for n in listed(p, "net", name)])
        p.cmd("kill", name)
    check(macs[0] == macs[1] and len({*macs[0], *macs[2]}) == 4, macs)


@test
def bad_devices_are_1(p):
    disk, odd = p.file("disk", b"d" * 4096), p.file("odd", b"o" * 1000)
    fifo = p.path("fifo")
    os.mkfifo(fifo)
    for args, words in (
            (["--disk", "path=/nonexistent"], b"/nonexistent: does not exist"),
            (["--disk", "path=/"], b"/: is a directory"),
            (["--disk", "path=/dev/null"], b"/dev/null: is neither a file nor a block device"),
            (["--disk", "path=" + fifo], b"is neither a file nor a block device"),
            (["--disk", "path=" + odd], b"1000 bytes, which is no multiple of 512"),
            (["--disk", "path=" + p.file("empty", b"")], b"is empty"),
            (["--disk", disk], b"give path="),
            (["--disk", "path=" + disk + ",cache=x"], b"give none or writeback"),
            (["--disk", "path=" + disk + ",queues=25"], b"queues=25: give a number from 1 to 24"),
            (["--disk", "path=" + disk + ",,"], b"disk,: does not exist"),
            (["--disk", "path=" + disk, "--disk", "path=" + disk],
             b"is another disk of this domain already"),
            (["--disk", "path=" + disk + ",ro,serial=a", "--disk", "path=" + disk + ",ro,serial=a"],
             b"serial=a: is another disk's of this domain"),
            (["--disk", "path=" + disk + ",ro=1"], b"ro has no value"),
            (["--disk", "path=" + disk + ",rw"], b"without ro"),
            (["--disk", "path=" + disk + ",path=" + disk], b"path is given twice"),
            (["--disk"], b"--disk needs an argument"),
            (["--net", "mac=02:00:00:00:00"], b"mac=02:00:00:00:00: give an address"),
            (["--net", "mac=01:00:00:00:00:00"], b"is a multicast address"),
            (["--net", "mac=00:00:00:00:00:00"], b"is no address"),
            (["--net", "mac=02:00:00:00:00:01", "--net", "mac=02:00:00:00:00:01"],
             b"is another device's"),
            (["--net", "bridge=nowhere"], b"there is no bridge nowhere"),
            (["--net", "ifname=eth0"], b"there is an interface eth0 already"),
            (["--net", "ifname=" + "x" * 16], b"give 1 to 15"),
            (["--net", "mtu=20"], b"give a number from 68"),
            (["--net", "queues=9"], b"queues=9: give a number from 1 to 8"),
            (["--net", "speed=10"], b"'speed' is not an option"),
            (["--net", "bridge=eth0"], b"eth0 is not a bridge"),
            (["--net", "ifname=x", "--net", "ifname=x"], b"there is an interface x already"),
            (["--net"] * 65, b"a domain has at most 64 devices"),
            (["--disk", "path=" + disk + ",queues=9"],
             b"queues=9: pvhv-blkback takes at most 8")):
        one_line(p.run(*args), 1, words)
        no_leftovers(p)
    # the first disk loads the module
    one_line(p.run("--disk", "path=" + disk + ",queues=9", env={"PVHV_FAKE": "not-loaded"}), 1,
             b"takes at most 8")


@test
def host_that_refuses_devices_is_2(p):
    disk = p.file("disk", b"d" * 4096)
    for fake, args, words in (
            ("no-backends", ["--disk", "path=" + disk], b"modprobe pvhv-blkback"),
            ("no-backends", ["--net"], b"modprobe pvhv-netback"),
            ("not-admin", ["--net"], b"CAP_NET_ADMIN")):
        one_line(p.run(*args, env={"PVHV_FAKE": fake}), 2, words)
        no_leftovers(p)


@test
def disks_come_and_go(p):
    g = p.start()
    read_until(g.stdout, b"cmdline")
    check(listed(p, "disk") == [] and listed(p, "net") == [], "none at first")
    odd = p.file("a b,\\\u00e9", b"O" * 512)
    a = p.file("a", b"A" * 4096)
    r = p.cmd("disk", "attach", "g", "path=" + a + ",serial=one")
    check(r.stdout == b"pvda\n" and r.returncode == 0, r)
    # another directory than the launcher's
    r = subprocess.run([PVHV, "disk", "attach", "g", "path=a b,,\\\u00e9"], cwd=p.dir,
                       env=p.env, capture_output=True)
    check(r.stdout == b"pvdb\n", r)
    check(listed(p, "disk")[1]["path"] == odd, listed(p, "disk"))
    seen = devices(p, g)
    check(len(seen) == 2 and seen[1].endswith("first O"), seen)
    one_line(p.run("--disk", "path=" + a, name="h"), 1, b"in use by another guest")
    one_line(p.run("--disk", "path=" + a + ",ro", name="h"), 1, b"another guest writes to it")
    one_line(p.cmd("disk", "attach", "g", "path=" + a), 1, a.encode(), b"disk of this domain already")
    one_line(p.cmd("disk", "attach", "g", "path=" + a + ",ro"), 1, b"disk of this domain already")
    one_line(p.cmd("disk", "attach", "g", "path=" + p.file("c", b"C" * 512) + ",queues=9"), 1,
             b"queues=9: pvhv-blkback takes at most 8")
    check(len(devices(p, g)) == 2, "a disk more")
    r = p.cmd("disk", "detach", "g", "one")
    check(r.returncode == 0 and not r.stderr, r)
    check([d["name"] for d in listed(p, "disk")] == ["pvdb"], listed(p, "disk"))
    # its number is free again, and so is the file
    check(p.cmd("disk", "attach", "g", "path=" + a + ",ro").stdout == b"pvda\n", "again")
    check(p.cmd("disk", "detach", "g", "1").returncode == 0, "by number")
    for name in ("pvdb", "7", "one", "vif1.0"):
        one_line(p.cmd("disk", "detach", "g", name), 1, name.encode() + b": there is no such disk")
    p.cmd("kill", "g")
    ended(g, 4)


@test
def disk_that_the_guest_holds(p):
    g = p.start("--disk", "path=" + p.file("a", b"A" * 4096))
    read_until(g.stdout, b"cmdline")
    tell(g, b"hold", b"held")
    one_line(p.cmd("disk", "detach", "--timeout", "0.5", "g", "pvda"), 1, b"still in use",
             b"--force")
    check(listed(p, "disk")[0]["state"] == "leaving", listed(p, "disk"))
    one_line(p.cmd("disk", "resize", "g", "pvda"), 1, b"is leaving")
    check(p.cmd("disk", "detach", "--timeout", "0", "g", "pvda").returncode == 0, "no waiting")
    check(p.cmd("disk", "detach", "--force", "g", "pvda").returncode == 0, "force")
    check(listed(p, "disk") == [], "gone")
    check(p.cmd("disk", "attach", "g", "path=" + p.path("a")).returncode == 0, "again")
    r = subprocess.Popen([PVHV, "disk", "detach", "g", "pvda"], env=p.env)
    until(lambda: listed(p, "disk")[0]["state"] == "leaving", "asked")
    check(r.poll() is None, "it did not wait")
    tell(g, b"release", b"released")
    check(r.wait(TIMEOUT) == 0, "status of detach")


@test
def disks_grow(p):
    a = p.file("a", b"A" * 4096)
    g = p.start("--disk", "path=" + a)
    read_until(g.stdout, b"cmdline")
    check(p.cmd("disk", "resize", "g", "pvda", "1M").stdout == b"1M\n", "1M")
    check(os.path.getsize(a) == 1 << 20 and "size 1048576 " in devices(p, g)[0], "its size")
    with open(a, "ab") as f:
        f.truncate(2 << 20)
    check("size 1048576 " in devices(p, g)[0], "not told yet")
    check(p.cmd("disk", "resize", "g", "pvda").stdout == b"2M\n", "told")
    check("size 2097152 " in devices(p, g)[0], "its size")
    one_line(p.cmd("disk", "resize", "g", "pvda", "1M"), 1, b"is not made smaller")
    one_line(p.cmd("disk", "resize", "g", "pvda", "huge"), 1, b"'huge': give a size")
    one_line(p.cmd("disk", "resize", "g", "pvdb", "3M"), 1, b"pvdb: there is no such disk")


@test
def nets_come_and_go(p):
    g = p.start("--net", "ifname=web")
    read_until(g.stdout, b"cmdline")
    check(p.cmd("net", "attach", "g").stdout == b"vif1.1\n", "attach")
    check(p.cmd("net", "attach", "g", "ifname=db,bridge=br0").stdout == b"db\n", "attach")
    one_line(p.cmd("net", "attach", "g", "ifname=db"), 1, b"there is an interface db already")
    one_line(p.cmd("net", "attach", "g", "bridge=eth0"), 1, b"eth0 is not a bridge")
    one_line(p.cmd("net", "attach", "g", "mac=zz"), 1, b"mac=zz: give an address")
    check(len(devices(p, g)) == 3, "what failed is still there")
    check(p.cmd("net", "detach", "g", "web").returncode == 0, "detach")
    check([n["name"] for n in listed(p, "net")] == ["vif1.1", "db"], listed(p, "net"))
    one_line(p.cmd("net", "detach", "g", "web"), 1, b"web: there is no such network device")


@test
def devices_after_a_reboot(p):
    a, b = p.file("a", b"A" * 4096), p.file("b", b"B" * 4096)
    g = p.start("--disk", "path=" + a, "--net", "ifname=web,bridge=br0")
    read_until(g.stdout, b"cmdline")
    p.cmd("disk", "attach", "g", "path=" + b)
    p.cmd("net", "attach", "g")
    tell(g, b"hold", b"held")
    p.cmd("disk", "detach", "--timeout", "0", "g", "pvda")
    tell(g, b"reboot")
    check(b"boot 2" in read_until(g.stdout, b"cmdline"), "no reboot")
    seen = devices(p, g)
    check(len(seen) == 3, seen)
    check(any(s.startswith("disk 0: ") and s.endswith("first B") for s in seen), seen)
    check(any(s.startswith("net 0: web ") and " bridge br0 up" in s for s in seen), seen)
    check([d["name"] for d in listed(p, "disk")] == ["pvda"], listed(p, "disk"))


@test
def disk_and_net_usage(p):
    for args, words in (
            (["disk"], b"give list, attach, detach or resize"),
            (["net"], b"give list, attach, detach"),
            (["net", "resize", "g"], b"'resize' is not list"),
            (["disk", "format", "g"], b"'format' is not list"),
            (["disk", "list"], b"give the NAME"),
            (["disk", "list", "../g"], b"is no name"),
            (["disk", "list", "g", "x"], b"unknown argument x"),
            (["disk", "list", "g"], b"no domain of this name"),
            (["disk", "attach", "g"], b"give a domain and path=FILE"),
            (["disk", "attach", "g", "path=/nonexistent"], b"/nonexistent: does not exist"),
            (["disk", "detach", "g"], b"give a domain and one of its devices"),
            (["disk", "detach", "g", "a b"], b"is no name of a device"),
            (["disk", "detach", "--timeout", "x", "g", "pvda"], b"give seconds, at most 86400"),
            (["disk", "list", "--force", "g"], b"list has no option --force"),
            (["net", "attach", "--json", "g"], b"attach has no option --json"),
            (["disk", "resize", "g"], b"give a domain and one of its disks")):
        one_line(p.cmd(*args), 1, words)


# -- vCPUs


def cpus(p):
    return json.loads(p.cmd("cpu", "list", "--json", "g").stdout)


def states(p):
    return [c["state"] for c in cpus(p)]


def pinned_to(p):
    """Where the thread of each vCPU may run, as the kernel says"""
    return [os.sched_getaffinity(c["tid"]) for c in cpus(p)]


@test
def cpus_are_listed(p):
    g = p.start("--cpus", "2,max=3")
    read_until(g.stdout, b"cmdline")
    found = cpus(p)
    check([c["vcpu"] for c in found] == [0, 1, 2], found)
    check([c["state"] for c in found] == ["up", "up", "down"], found)
    for c in found:
        comm = open("/proc/%d/task/%d/comm" % (g.pid, c["tid"])).read()
        check(comm == "pvhv-vcpu%d\n" % c["vcpu"], comm)
        check(c["cpu"] in os.sched_getaffinity(c["tid"]) and c["time_ms"] < 10000, c)
        listed = subprocess.run(["taskset", "-pc", str(c["tid"])], capture_output=True).stdout
        check(listed.endswith((": %s\n" % c["affinity"]).encode()), listed, c)
    rows = [r.split() for r in p.cmd("cpu", "list", "g").stdout.decode().splitlines()]
    check(rows[0] == ["VCPU", "STATE", "TID", "CPU", "SECONDS", "AFFINITY"] and len(rows) == 4, rows)
    check(rows[3][:3] == ["2", "down", str(found[2]["tid"])], rows)
    check(re.fullmatch(r"\d+\.\d{3}", rows[3][4]) and rows[3][5] == found[2]["affinity"], rows)
    p.cmd("pause", "g")
    check(states(p) == ["up", "up", "down"], states(p))
    info = json.loads(p.cmd("info", "--json", "g").stdout)
    check(info["vcpus"] == 2 and info["max_vcpus"] == 3, info)
    p.cmd("kill", "g")
    ended(g, 4)


@test
def number_of_cpus_is_set(p):
    g = p.start("--cpus", "2,max=4")
    read_until(g.stdout, b"cmdline")
    for n in (4, 1, 1, 3):
        r = p.cmd("cpu", "set", "g", str(n))
        check(r.returncode == 0 and not r.stderr and not r.stdout, r)
        check(states(p) == n * ["up"] + (4 - n) * ["down"], n, states(p))
    one_line(p.cmd("cpu", "set", "g", "5"), 1,
             b"g: the domain has at most 4 vCPUs: start it with --cpus 3,max=5")
    tell(g, b"lazy", b"lazy now")
    one_line(p.cmd("cpu", "set", "--timeout", "0.5", "g", "2"), 1,
             b"g: vCPUs up after 1 s: 3, not 2; the guest's log may tell why")
    check(p.cmd("cpu", "set", "--timeout", "0", "g", "1").returncode == 0, "no waiting")
    check(states(p).count("up") == 3, states(p))
    r = subprocess.Popen([PVHV, "cpu", "set", "g", "4"], env=p.env)
    time.sleep(0.5)
    check(r.poll() is None, "it did not wait")
    tell(g, b"diligent", b"diligent now")
    check(r.wait(TIMEOUT) == 0 and states(p).count("up") == 4, states(p))
    p.cmd("pause", "g")
    one_line(p.cmd("cpu", "set", "--timeout", "0.5", "g", "2"), 1, b"g: vCPUs up after 1 s: 4, not 2",
             b"; it is paused: pvhv resume lets it go on")
    p.cmd("resume", "g")
    until(lambda: states(p).count("up") == 2, "what was asked for in a pause")
    # as many as were asked for last
    tell(g, b"reboot")
    check(b"boot 2" in read_until(g.stdout, b"cmdline"), "no reboot")
    check(states(p) == ["up", "up", "down", "down"], states(p))
    tell(g, b"lazy", b"lazy now")
    r = subprocess.Popen([PVHV, "cpu", "set", "g", "4"], env=p.env, stderr=subprocess.PIPE)
    time.sleep(0.5)
    p.cmd("kill", "g")
    check(r.wait(TIMEOUT) == 1 and r.stderr.read().count(b"\n") == 1, "the end while it waits")
    r.stderr.close()
    ended(g, 4)


@test
def cpus_are_pinned(p):
    ours = os.sched_getaffinity(0)
    first, last = {min(ours)}, {max(ours)}
    g = p.start("--cpus", "1,max=3")
    read_until(g.stdout, b"cmdline")
    check(pinned_to(p) == [ours, ours, ours], pinned_to(p))
    check(p.cmd("cpu", "pin", "g", "1", str(max(ours))).returncode == 0, "pin")
    check(pinned_to(p) == [ours, last, ours] and cpus(p)[1]["affinity"] == str(max(ours)), cpus(p))
    r = p.cmd("cpu", "pin", "g", "all", "%d,%d-%d" % (2 * (min(ours),) + (min(ours),)))
    check(r.returncode == 0 and not r.stderr, r)
    check(pinned_to(p) == [first, first, first], pinned_to(p))
    check(p.cmd("cpu", "pin", "g", "2", "all").returncode == 0, "unpin")
    check(pinned_to(p) == [first, first, ours], pinned_to(p))
    before = [c["tid"] for c in cpus(p)]
    tell(g, b"reboot")
    check(b"boot 2" in read_until(g.stdout, b"cmdline"), "no reboot")
    check(not set(before) & {c["tid"] for c in cpus(p)}, "the same threads")
    check(pinned_to(p) == [first, first, ours], pinned_to(p))
    for args, words in (
            (["3", "0"], b"g: there is no vCPU 3: give 0 to 2 or all"),
            (["0", "8000"], b"g: CPU 8000 of the host does not exist: give some of "),
            (["0", "%d,8000" % max(ours)], b"g: CPU 8000 of the host does not exist")):
        one_line(p.cmd("cpu", "pin", "g", *args), 1, words)
    check(pinned_to(p) == [first, first, ours], pinned_to(p))
    p.cmd("kill", "g")
    ended(g, 4)


@test
def cpus_of_a_crashed_domain(p):
    g = p.start("--on-crash", "preserve", "--cpus", "2", do=["crash:oh_no"])
    read_until(g.stderr, b"pvhv kill g ends it")
    for args in (["list", "g"], ["pin", "g", "all", "0"], ["set", "g", "1"]):
        one_line(p.cmd("cpu", *args), 1, b"g: the domain has ended (crashed)")
    p.cmd("kill", "g")
    ended(g, 3)


@test
def several_vcpus_end(p):
    r = p.run("--cpus", "4", do=["flood:10", "once:reboot", "poweroff"])
    check(r.returncode == 0 and b"boot 2" in r.stdout, r)
    one_line(p.run("--cpus", "4", env={"PVHV_FAKE": "run-fails"}), 2, b"cannot run: Bad address")
    no_leftovers(p)


@test
def cpu_usage(p):
    for args, words in (
            ([], b"give list, pin or set"),
            (["unplug", "g"], b"'unplug' is not list, pin or set"),
            (["list"], b"give the NAME"),
            (["list", "../g"], b"is no name"),
            (["list", "g", "x"], b"unknown argument x"),
            (["list", "g"], b"g: no domain of this name"),
            (["list", "--timeout", "1", "g"], b"list has no option --timeout"),
            (["pin", "--json", "g", "0", "0"], b"pin has no option --json"),
            (["pin", "g", "0"], b"give a domain, one of its vCPUs or all, and CPUs"),
            (["pin", "g", "0", "0", "0"], b"unknown argument 0"),
            (["pin", "g", "64", "0"], b"'64' is no vCPU: give its number or all"),
            (["pin", "g", "0,1", "0"], b"'0,1' is no vCPU"),
            (["pin", "g", "0", "0-"], b"'0-' is not a list of CPUs, such as 0-3,6"),
            (["pin", "g", "0", "0 1"], b"'0 1' is not a list of CPUs"),
            (["set", "g"], b"give a domain and a number of vCPUs"),
            (["set", "g", "0"], b"'0': give a number of vCPUs, 1 to 64"),
            (["set", "g", "65"], b"'65': give a number of vCPUs"),
            (["set", "g", "many"], b"'many': give a number of vCPUs"),
            (["set", "--timeout", "x", "g", "1"], b"--timeout 'x': give seconds"),
            (["set", "--json", "g", "1"], b"set has no option --json"),
            (["set", "g", "1"], b"g: no domain of this name")):
        one_line(p.cmd("cpu", *args), 1, words)


def main():
    words = sys.argv[2:]
    label = os.path.basename(os.path.dirname(PVHV))
    bad = 0
    for fn in tests:
        if words and not any(w in fn.__name__ for w in words):
            continue
        p = Place()
        try:
            fn(p)
            print("ok %s %s" % (label, fn.__name__), flush=True)
        except (Failure, subprocess.TimeoutExpired, OSError, ValueError, KeyError, IndexError) as e:
            bad += 1
            print("not ok %s %s: %s: %s" % (label, fn.__name__, type(e).__name__, e), flush=True)
            for g in p.procs:
                if g.stderr and g.poll() is None:
                    g.kill()
                if g.stderr and not g.stderr.closed:
                    print("#", g.stderr.read()[-2000:])
        finally:
            p.close()
    return bad != 0


sys.exit(main())
