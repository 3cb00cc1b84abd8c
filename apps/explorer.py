"""The ACOT explorer: ``panel serve apps/explorer.py``."""

from acot_explorer.app import build

build().servable(title="ACOT explorer")
