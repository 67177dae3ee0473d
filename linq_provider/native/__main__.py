"""`python -m linq_provider.native`: what the script pulumi-resource-linq runs."""

from linq_provider.native.process import main

if __name__ == "__main__":
    main()
