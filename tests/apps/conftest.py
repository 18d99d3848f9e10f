"""The harness is a folder of plain modules, run as `python tests/apps`; its tests import them the same way."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
