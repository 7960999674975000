"""The demo world: drawn photo scenes with exact truth, the same for the same seed.

SPDX-License-Identifier: Apache-2.0
"""

VERSION = 1
