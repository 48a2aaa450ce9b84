"""Shut this process in, then become the program that was asked for: ``launcher cpu_s memory_bytes program ...``.

A process of a service with threads must not run code of ours between fork and exec, so the limits are set here.
"""

import math
import os
import resource
import sys

FILE_BYTES = 1 << 26


def main() -> None:
    """Set the limits, which no child can raise again, and hand over."""
    cpu_s, memory_bytes = math.ceil(float(sys.argv[1])), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606 -- the operator's program, no shell


if __name__ == "__main__":
    main()
