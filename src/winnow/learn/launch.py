"""
Several processes of one program: `python -m winnow.learn.launch 2 --module stages.climb.train`.

Like torchrun, but it exits with the code of the process that failed, and prints no traceback of its own.
"""

import logging
import sys

from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main


def launch(devices: str, *program: str) -> int:
    """Run the program in `devices` processes; gives the exit code of the first that failed, or 128 + the signal."""
    logging.disable(logging.ERROR)  # its tables of failed ranks; the processes print their own errors
    try:
        main(["--standalone", f"--nproc-per-node={devices}", *program])
    except SignalException as stopped:
        return 128 + int(stopped.sigval)
    except ChildFailedError as failed:
        return abs(failed.get_first_failure()[1].exitcode)
    return 0


if __name__ == "__main__":
    sys.exit(launch(*sys.argv[1:]))
