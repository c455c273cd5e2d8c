"""Timing side by side, and the table of results in RESULTS.md.

The sides alternate, round after round, so that whatever slows the machine down for a while slows
all of them. Every script here that measures ends with `record`. Ratios differ between processors;
each has rows of its own.
"""

import datetime
import os
import platform
import statistics
import subprocess
import time
from importlib import metadata
from pathlib import Path

from deblurgan_lib.paths import commit

RESULTS = Path(__file__).parent / "RESULTS.md"
HEADER = "| measured | ours | against | result | target | met | machine, versions | date, commit |"


class Remote:
    """A side that lives in a process of its own, because its libraries do not go with ours.

    The process makes itself ready and writes a line; then, for each line it reads, it does its work
    once and writes a line. `serve` is the other end.
    """

    def __init__(self, *command):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.facts = self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self.process.args)} ended early.")
        return line.strip()

    def __call__(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self._answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def quickest(commands: dict) -> tuple[str, Remote]:
    """The name and the process of the command that works quickest; name to command.

    One after the other, each the better of two calls; the others are ended.
    """
    best = None
    for name, command in commands.items():
        remote = Remote(*command)
        seconds = min(alternate({name: remote}, rounds=2, warmup=0)[name])
        print(f"{name}: {remote.facts}, {seconds:.2f} s")
        slower = remote
        if best is None or seconds < best[0]:
            slower, best = best and best[2], (seconds, name, remote)
        if slower:
            slower.close()
    return best[1:]


def alternate(sides: dict, rounds: int, warmup: int = 2) -> dict[str, list[float]]:
    """Seconds of each call, after `warmup` rounds that are not counted; sides: name to function."""
    seconds = {name: [] for name in sides}
    for number in range(warmup + rounds):
        for name, work in sides.items():
            begin = time.perf_counter()
            work()
            if number >= warmup:
                seconds[name].append(time.perf_counter() - begin)
    return seconds


def shown(seconds: list[float]) -> str:
    """Median and, as the spread, first and third quartile."""
    low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
    scale, unit = (1, "s") if middle >= 1 else (1000, "ms")
    return f"{middle * scale:.3g} {unit} ({low * scale:.3g} to {high * scale:.3g})"


def ratio(seconds: list[float], baseline: list[float]) -> float:
    return statistics.median(baseline) / statistics.median(seconds)


def machine(*packages: str) -> str:
    """Processor, threads, and the versions of packages that were measured."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    facts = dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)
    name = facts.get("model name", platform.processor() or platform.machine())
    flags = facts.get("flags", "").split()
    fast = [flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in flags][:1]
    versions = [f"{package} {metadata.version(package)}" for package in packages]
    return ", ".join([f"{name} {' '.join(fast)}, {os.cpu_count()} cores", *versions])


def record(measured, ours, against, result, target, met, machine) -> None:
    """Print a row and put it into RESULTS.md, in place of the older one of the same machine."""
    date = datetime.date.today().isoformat()
    cells = [measured, ours, against, result, target, "yes" if met else "**no**", machine]
    row = "| " + " | ".join([*cells, f"{date}, {commit()}"]) + " |"
    for name, cell in zip(HEADER.strip("| ").split(" | "), row.strip("| ").split(" | ")):
        print(f"{name:>18}: {cell}")
    lines = RESULTS.read_text(encoding="utf-8").splitlines()
    begin = lines.index(HEADER) + 2
    end = next((i for i in range(begin, len(lines)) if not lines[i].startswith("|")), len(lines))
    rows = lines[begin:end]
    same = [i for i, old in enumerate(rows) if old.startswith(f"| {measured} |")]
    processor = machine.split(", ")[0]
    for place in same:
        if processor in rows[place]:
            rows[place] = row
            break
    else:
        rows.insert(same[-1] + 1 if same else len(rows), row)
    text = "\n".join([*lines[:begin], *rows, *lines[end:]]) + "\n"
    RESULTS.write_text(text, encoding="utf-8")
