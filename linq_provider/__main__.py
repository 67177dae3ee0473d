"""`python -m linq_provider`: the command line, where the console script is not on the path."""

from linq_provider.cli import main

if __name__ == "__main__":
    main()
