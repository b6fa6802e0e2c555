"""``python -m nanostrata``."""

from nanostrata.interfaces.cli import main

main()
