"""Runs a program and tells what it cost: time, processor time, memory, and how idle the machine was.

SPDX-License-Identifier: Apache-2.0
"""
import os
import platform
import subprocess
import sys
import tempfile
import time


def cores():
    return len(os.sched_getaffinity(0))


def idle_seconds():
    """Of all cores together, since boot."""
    with open("/proc/stat") as file:
        fields = file.readline().split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def run(command, env=None, on_poll=None, poll_s=0.05):
    """What the command printed and what it took; ends this program when the command fails.

    on_poll(pid) is called every poll_s seconds while it runs.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        idle = idle_seconds()
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=output, stderr=errors, env=env)
        pid = child.pid
        while on_poll:
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if done:
                break
            on_poll(pid)
            time.sleep(poll_s)
        else:
            _, status, usage = os.wait4(pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)  # it is waited for; Popen must not
        idle = idle_seconds() - idle
        output.seek(0)
        errors.seek(0)
        if status != 0:
            sys.exit(f"{' '.join(map(str, command))}\nfailed: {errors.read()[-2000:]}")
        cpu = usage.ru_utime + usage.ru_stime
        return {
            "output": output.read(),
            "wall_s": wall,
            "cpu_s": cpu,
            "busy": cpu / (wall * cores()),
            # Of the core-seconds that nobody else took; the same as busy on a quiet machine.
            "busy_of_free": cpu / (cpu + idle),
            "peak_rss_mib": usage.ru_maxrss / 1024,
        }


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {cores()} cores, {platform.system()} {platform.release()}, load {os.getloadavg()[0]:.1f}"
