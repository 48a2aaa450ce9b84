"""Run the command line as a module: ``python -m voxgate``."""

from voxgate.cli import main

if __name__ == "__main__":
    main()
