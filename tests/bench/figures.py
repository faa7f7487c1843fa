"""A figure with its goal, and how it is measured of processes."""

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Figure:
    """One measured value. ``goal`` is an upper bound, or a lower one when ``at_least``."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = False

    @property
    def met(self):
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def line(self):
        """Return the figure as a line of the report."""
        mark = {None: " ", True: "✓", False: "✗"}[self.met]
        sign = "≥" if self.at_least else "≤"
        goal = f"goal {sign} {self.goal:g} {self.unit}" if self.goal is not None else ""
        return f"{mark} {self.name:<58} {self.value:>10.3f} {self.unit:<6} {goal}"


def resident_mb(pid):
    """Return the resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid):
    """Return the CPU time that a process has used, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def with_children(pid, measure):
    """Return what ``measure`` says of a process and of all that it has started, together."""
    children = psutil.Process(pid).children(recursive=True)
    return measure(pid) + sum(measure(child.pid) for child in children)


def idle_cpu_percent(pid, seconds=10.0):
    """Return how much of one core a process uses while nothing happens."""
    before = cpu_seconds(pid)
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / seconds * 100


def start_seconds(*argv, env=None, runs=7):
    """Return the median wall time of a command."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run([sys.executable, *argv], env=env, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)
