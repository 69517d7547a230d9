"""Import a module that another pod may replace at any moment."""

import importlib
import sys


def load(name):
    """Return the module as it is on the share now, or None if nobody has published it yet.

    It is imported anew each time: importlib.reload would leave behind names that the new module no longer has, and
    looking at the file's time first would miss changes on network file systems, which tell it late. The share is
    mounted read-only, so Python keeps no bytecode that could be stale. Not for several threads at once.
    """
    importlib.invalidate_caches()  # Python remembers the listings of directories, and a new file is in none of them
    sys.modules.pop(name, None)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:  # something that the module itself imports
            raise
        return None
