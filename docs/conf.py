"""Settings of the documentation site (Sphinx, MyST-NB, Furo); `make docs` builds it into docs/_build/html."""

import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_extensions")]

from acot_core import __version__  # noqa: E402

project = "ACOT explorer"
author = "The ACOT explorer developers"
copyright = f"2026, {author}"
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "measured",
    "names",
    "notebooks",
]
exclude_patterns = ["_build", "images", "jupyter_execute"]
nitpicky = True  # a name of acot_core that leads nowhere is an error; other packages' names are plain text
suppress_warnings = ["ref.python"]  # an attribute name that two classes have
nitpick_ignore_regex = [("py:.*", r"(?!acot_core\b).*")]
default_role = "py:obj"

myst_enable_extensions = ["amsmath", "attrs_block", "colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
myst_dmath_double_inline = True
nb_execution_mode = "off"  # notebooks/refresh.py runs them; a test holds that what is stored is current

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings give shapes and units, which types do not
autodoc_default_options = {
    "members": True,
    "exclude-members": ", ".join(f"set_{step}_request" for step in ("fit", "transform", "predict", "score")),
}
autosummary_generate = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"ACOT explorer {release}"
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#00695c", "color-brand-content": "#00695c"},
    "dark_css_variables": {"color-brand-primary": "#4db6ac", "color-brand-content": "#4db6ac"},
}

# One file without fonts, from a package: formulas are there offline and from the file system.
_MATHJAX = find_spec("sphinx-mathjax-offline")
assert _MATHJAX is not None
assert _MATHJAX.origin is not None
html_static_path.append(str(Path(_MATHJAX.origin).parent / "static/mathjax/tex-svg-full.js"))
mathjax_path = "tex-svg-full.js"
mathjax3_config = {"options": {"enableMenu": False}}
