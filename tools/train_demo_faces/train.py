"""Train a demo face model: `train.py detector ...` or `train.py recogniser ...`.

SPDX-License-Identifier: Apache-2.0
"""

import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import detector  # noqa: E402
import recogniser  # noqa: E402


def main():
    ap = argparse.ArgumentParser(prog="train_demo_faces")
    sub = ap.add_subparsers(dest="command", required=True)
    detector.options(sub)
    recogniser.options(sub)
    args = ap.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
