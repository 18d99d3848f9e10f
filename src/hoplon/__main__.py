"""`python -m hoplon` is `hoplon`."""

from hoplon.cli import main

if __name__ == "__main__":
    main()
