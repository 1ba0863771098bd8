"""``python -m mien``: the command, where it is not on the path."""

from mien.cli.app import main

if __name__ == "__main__":
    main()
