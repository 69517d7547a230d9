"""Measures the delay from the write of a file in one pod until another pod sees it, in each of the ways in which a program can look.

Two pods run this. Pod 0 writes a file, pod 1 writes one in answer as soon as it sees it, and pod 0 waits for that. The clocks of two
nodes differ, so one clock alone is read, pod 0's: half of the way there and back is the delay on average, and no single delay was
longer than the whole way.
"""

import importlib
import os
import pathlib
import random
import shutil
import statistics
import sys
import time

POD = int(os.environ["JOB_COMPLETION_INDEX"])
NODE = os.environ["NODE_NAME"]
RUN = pathlib.Path(os.environ["PODSHARE_FRESHNESS_DIR"], "freshness-" + os.environ["RUN"])
MINE, OTHERS = RUN / str(POD), RUN / str(1 - POD)  # two directories, as a node sees at once what has changed where it writes itself
ROUNDS = int(os.environ.get("ROUNDS", "10"))
PAUSE = float(os.environ.get("PAUSE_SECONDS", "2"))
POLL = 0.02  # seconds


def can_import(name, number):
    """Import the module anew, as a consumer should."""
    importlib.invalidate_caches()  # Python remembers the listings of directories, and a new file is in none of them
    sys.modules.pop(name, None)
    try:
        return importlib.import_module(name).NUMBER == number
    except ModuleNotFoundError:
        return False


def is_there(name, _):
    """Ask for a file that was not there before, without listing its directory."""
    return (OTHERS / f"{name}.py").exists()


def has_changed(name, number):
    """Ask for the file's time, without opening it."""
    return (OTHERS / f"{name}.py").stat().st_mtime == number


LOOKS = {
    "a new module, by importing it": (can_import, "new_module_{}"),
    "a changed module, by importing it": (can_import, "changed"),
    "a new file, by its name": (is_there, "new_file_{}"),
    "a changed file, by its time": (has_changed, "changed"),
}


def exchanges():
    """Yield what is measured, the function that looks, and the module's name and number. The first only waits for the other pod."""
    yield None, can_import, "changed", 0
    number = 0
    for _ in range(ROUNDS):
        for what, (look, name) in LOOKS.items():
            number += 1
            yield what, look, name.format(number), number


def publish(name, number):
    """Write a module so that an importer finds the old one or the new one, and never half of one."""
    temporary = MINE / f".{name}"
    temporary.write_text(f"NUMBER = {number}\nNODE = {NODE!r}\n")
    os.utime(temporary, (number, number))  # the number is its time, too
    os.replace(temporary, MINE / f"{name}.py")


def await_other(look, name, number):
    """Return when the other pod's module is seen."""
    while not look(name, number):
        time.sleep(POLL)


def answer():
    """Write each module that the other pod has written."""
    print(f"{NODE} answers", flush=True)
    for _, look, name, number in exchanges():
        await_other(look, name, number)
        publish(name, number)


def ask():
    """Write modules, await their answers, and print how long that takes."""
    ways = {what: [] for what in LOOKS}
    for what, look, name, number in exchanges():
        time.sleep(random.uniform(0, PAUSE))  # so that a write meets caches of any age
        begun = time.monotonic()
        publish(name, number)
        await_other(look, name, number)
        way = time.monotonic() - begun
        if what:
            ways[what].append(way)
            print(f"{what}: {way / 2:.3f} s", flush=True)
        else:
            other = sys.modules[name].NODE
            print(f"from {NODE} to {other} and back, {ROUNDS} rounds; half of each way is shown", flush=True)
    print("from write to sight:")
    for what, all_ways in ways.items():
        print(f"  {what}: {statistics.median(all_ways) / 2:.3f} s (median), never more than {max(all_ways):.3f} s")
    if NODE == other:
        print("Both pods ran on one node, which sees its own writes at once: this says nothing about other nodes.")
    shutil.rmtree(RUN, ignore_errors=True)  # a leftover harms nobody


if __name__ == "__main__":
    MINE.mkdir(parents=True, exist_ok=True)
    sys.path.append(str(OTHERS))
    (ask if POD == 0 else answer)()
