"""``python -m doubleread``."""

from doubleread.cli.main import main

if __name__ == "__main__":
    main()
