"""`python -m bounceproc` is the command line."""

from bounceproc.cli.main import main

if __name__ == "__main__":
    main()
