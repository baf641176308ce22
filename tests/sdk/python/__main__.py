"""Runs all tests with each of the SDK's two clients, and fails too where an operation was not tried."""

import sys
import unittest
from pathlib import Path

import server
from operations import OPERATIONS


def main():
    return all([passes_with(flavour) for flavour in server.FLAVOURS])


def passes_with(flavour):
    print(f"-- {flavour.__name__}", file=sys.stderr)
    server.flavour = flavour
    server.called.clear()
    tests = unittest.TestLoader().discover(str(Path(__file__).parent))
    passed = unittest.TextTestRunner().run(tests).wasSuccessful()
    untried = sorted(OPERATIONS - server.called)
    if untried:
        print(f"never called: {', '.join(untried)}", file=sys.stderr)
    return passed and not untried


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
