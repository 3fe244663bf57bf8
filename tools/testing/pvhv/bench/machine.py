# SPDX-License-Identifier: GPL-2.0
"""What run, peers and profile share: the machines that measure, and their output."""
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.realpath(os.path.join(HERE, "../../../.."))
HOSTVM = os.path.join(TOP, "tools/testing/pvhv/hostvm")
BUILD = os.path.join(TOP, "build/bench")
GUEST = os.path.join(TOP, "build/guest")

# As hostvm's: see there why.
CPU = "max,la57=off,smap=off,pku=off,erms=off,fsrm=off"
# The same for every kernel: no randomization, so that runs repeat.
KERNEL_ARGS = "nokaslr norandmaps quiet loglevel=2 panic=-1 random.trust_cpu=on"
GUEST_MEMORY = "256M"
# Of idle guests, whose memory is measured
IDLE_MIB = 128
IDLE_CPUS = 5
# Seconds that the machine of a device may take, on a loaded machine
DEVICE_TIMEOUT = 3000


class Trouble(Exception):
    """There will be no result."""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def build():
    log = subprocess.run(["make", "--no-print-directory", "-C", HERE, f"O={BUILD}"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, check=False)
    if log.returncode:
        raise Trouble(f"make -C {HERE} failed:\n{log.stdout}")


def make_initrd(path):
    """An initrd that holds the benchmark and nothing else."""
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(f"{root}/dev")
        # the kernel opens it for init
        os.mknod(f"{root}/dev/console", 0o20600, os.makedev(5, 1))
        shutil.copy(f"{BUILD}/bench", f"{root}/init")
        names = "\n".join([".", "dev", "dev/console", "init"])
        with open(path, "wb") as out:
            subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"],
                           cwd=root, input=names.encode(), stdout=out, check=True)


def stock_kernel():
    """hostvm's directory of the stock kernel: kver, bzimage, vmlinux."""
    images = [f for f in os.listdir("/boot") if re.match(r"vmlinuz-6\.1.*-amd64$", f)]
    if not images:
        raise Trouble("no /boot/vmlinuz-6.1*-amd64, run scripts/setup")
    images.sort(key=lambda f: [int(n) for n in re.findall(r"\d+", f)])
    return subprocess.run([f"{TOP}/tools/testing/pvhv/vm/mkkernel", f"/boot/{images[-1]}"],
                          check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def output_of(*command):
    """The first line that COMMAND prints."""
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True, check=False, cwd=TOP)
    return run.stdout.strip().split("\n")[0]


def short(value):
    """As design.md writes them: 338, 82.5k, 1.75M."""
    if value is None:
        return "-"
    if value < 9.95:
        return f"{value:.2g}"
    if value < 9999.5:
        return f"{value:.0f}"
    if value < 999.5e3:
        return f"{value / 1e3:.1f}k" if value < 99.95e3 else f"{value / 1e3:.0f}k"
    return f"{value / 1e6:.2f}M" if value < 99.5e6 else f"{value / 1e6:.0f}M"


def parse(line):
    """(word, {key: value}) of a "BENCH ..." line; None for others."""
    match = re.search(r"BENCH (.*)$", line.rstrip("\r\n"))
    if not match:
        return None
    words = match.group(1).split()
    values = [w for w in words[1:] if "=" not in w]
    named = dict(w.split("=", 1) for w in words[1:] if "=" in w)
    return words[0], values, named


def qemu_command(kernel, initrd, append, more=(), cpus=1):
    """A native machine under instruction counting, serial port on stdout."""
    return ["qemu-system-x86_64", "-machine", "q35", "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-nic", "none", "-cpu", CPU, "-smp", str(cpus),
            "-m", GUEST_MEMORY, "-kernel", kernel, "-initrd", initrd, "-append", append,
            "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-seed", "1",
            "-rtc", "clock=vm,base=2026-01-01", "-serial", "stdio", *more]


def hostvm_command(copies, command, timeout, qemu=(), memory="1536M", log=None, stdin=False,
                   options=()):
    words = [HOSTVM, "--icount", "--cpu", CPU, "--memory", memory, "--timeout", str(timeout),
             *options]
    for copy in copies:
        words += ["--copy", copy]
    for arg in qemu:
        words += [f"--qemu={shlex.quote(arg)}"]
    if log:
        words += ["--log", log]
    if stdin:
        words.append("--stdin")
    return words + ["--"] + command


class Run:
    """A process that prints BENCH lines; killed when we are done with it."""

    def __init__(self, command, log, timeout, stdin=False):
        self.log = open(log, "w", encoding="utf-8", buffering=1)
        self.log_path = log
        self.end = time.monotonic() + timeout
        self.process = subprocess.Popen(["nice"] + command,
                                        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log,
                                        start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def lines(self):
        """All lines until the end; Trouble after the time limit."""
        fd = self.process.stdout.fileno()
        os.set_blocking(fd, False)
        data = b""
        while True:
            chunk = None
            try:
                chunk = os.read(fd, 65536)
            except BlockingIOError:
                time.sleep(0.05)
            if chunk == b"":
                break
            data += chunk or b""
            *whole, data = data.split(b"\n")
            for raw in whole:
                line = raw.decode(errors="replace").rstrip("\r")
                self.log.write(line + "\n")
                yield line
            if time.monotonic() > self.end:
                raise Trouble(f"timeout, see {self.log_path}")
        self.log.flush()

    def bench_lines(self):
        """Parsed BENCH lines, up to and without "end"."""
        for line in self.lines():
            found = parse(line)
            if not found:
                continue
            if found[0] == "end":
                return
            if found[0] == "error":
                raise Trouble(line)
            yield found


def firmware_time(initrd, log):
    """ns from power-on to a kernel's first instruction."""
    command = qemu_command(f"{BUILD}/firmware.elf", initrd, "none")
    with Run(command, log, 300) as run:
        for line in run.lines():
            if re.fullmatch("[0-9a-f]{16}", line):
                return int(line, 16)
    raise Trouble(f"no answer from firmware.elf, see {run.log_path}")


class Memory:
    """What idle guests take of their host, in KiB, out of the output of host/memory."""

    def __init__(self, guests):
        self.guests = guests
        # {when: {key: KiB}}
        self.kib = {}
        self.stat = ""

    def line(self, line):
        words = line.split()
        if words[:1] == ["MEMORY"] and len(words) == 4:
            self.kib.setdefault(words[1], {})[words[2]] = int(words[3])
        elif line.startswith("STAT {"):
            self.stat = line[5:]

    def free(self, when):
        """Of the host: Linux, and what a hypervisor below it has."""
        return sum(self.kib[when].get(k, 0) for k in ("MemFree", "PcpFree", "XenFree"))

    def each(self, key):
        """What one guest has added."""
        return (self.kib["after"].get(key, 0) - self.kib["before"].get(key, 0)) / self.guests

    def used(self, when="after"):
        return (self.free("before") - self.free(when)) / self.guests

    def besides_ram(self, when="after"):
        return self.used(when) - self.kib[when]["RamRss"] / self.guests

    def vcpu(self):
        return (self.besides_ram("cpus") - self.besides_ram()) / (IDLE_CPUS - 1)


class Monitor:
    """QEMU's human monitor on a socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(600)
        self.socket.connect(path)
        self.answer()

    def answer(self):
        text = b""
        while not text.endswith(b"(qemu) "):
            data = self.socket.recv(65536)
            if not data:
                raise Trouble("QEMU is gone")
            text += data
        return text.decode(errors="replace")

    def command(self, text):
        self.socket.sendall(text.encode() + b"\n")
        return self.answer()


def device_copies(name):
    """What host/NAME needs in its machine."""
    tests = f"{TOP}/tools/testing/pvhv/tests"
    copies = [f"{tests}/lib.sh:/root/lib.sh", f"{tests}/block-lib.sh:/root/block-lib.sh",
              f"{tests}/guest:/root/guest",
              f"{TOP}/tools/testing/pvhv/mkinitrd:/root/mkinitrd",
              f"{HERE}/host/rows.sh:/root/rows.sh", f"{HERE}/host/{name}:/root/{name}"]
    if name == "net":
        return copies + [f"{tests}/net-lib.sh:/root/net-lib.sh", f"{BUILD}/netload:/root/netload"]
    return copies + [f"{BUILD}/blkload:/root/blkload"]


def device_rows(name):
    """For the program of a device: run host/NAME in a host VM, pass its rows on."""
    log = f"{BUILD}/log"
    os.makedirs(log, exist_ok=True)
    ended = False
    try:
        build()
        command = hostvm_command(device_copies(name), [f"/root/{name}"], DEVICE_TIMEOUT,
                                 log=f"{log}/{name}.kernel")
        with Run(command, f"{log}/{name}.out", DEVICE_TIMEOUT + 60) as run:
            for line in run.lines():
                if line.startswith("BENCH row ") or line.startswith("BENCH error "):
                    print(line, flush=True)
                ended |= line.startswith("BENCH end")
            status = run.process.wait()
        if not ended or status:
            raise Trouble(f"the machine ended with {status}, see {log}/{name}.out")
    except (Trouble, OSError, subprocess.CalledProcessError) as error:
        print(f"BENCH error {error}", flush=True)
        return 1
    return 0
