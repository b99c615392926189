"""`python -m sdcore.cli` is the command `sdcore`."""

from sdcore.cli.main import main

if __name__ == "__main__":
    main()
