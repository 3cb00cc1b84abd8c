"""The script that `acot explore` serves; in a clone ``panel serve apps/explorer.py`` does the same."""

from acot_explorer.app import build

build().servable(title="ACOT explorer")
