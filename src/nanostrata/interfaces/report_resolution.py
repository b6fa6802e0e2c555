"""Section on what the measurements resolve of the profile."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nanostrata.interfaces.report_html import figure_html
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["resolution_html"]


def resolution_html(run: RunFolder, figures: Mapping[str, str]) -> str:
    """Words and figure; empty without the numbers."""
    sd = run.get("profile.resolution.eigen_sd")
    width = run.get("profile.resolution.width_nm")
    if not isinstance(sd, list) or not isinstance(width, list):
        return ""
    known = [s for s in sd if s < 0.10]
    seen = np.array([w for w in width if w is not None], dtype=float)
    text = (
        f"<p>The measurements alone fix <strong>{len(known)} of {len(sd)}</strong> combinations of shells to better than 0.10, "
        "whatever is believed about the profile. "
    )
    if len(seen):
        share = 100.0 * len(seen) / len(width)
        text += (
            f"Where they see it ({share:.0f} % of the radius, from the surface inwards), they see it through a window of "
            f"{seen.min():.2g} to {seen.max():.2g} nm; "
        )
    else:
        text += "They see no single radius; "
    text += "finer detail in any profile drawn from these data is an assumption.</p>"
    caption = (
        "Left: each row is one combination of shells (bars: its weights), with the standard deviation of its sum; dark blue is "
        "known to better than 0.10, light blue to 0.20, grey is not known (a uniform prior has 0.29). Right: of which radii the "
        "value at the marked radius is an average, and the width of that average (dashed, right axis; missing where nothing is seen). "
        "Both are linear at the best profile and leave the walls x = 0 and x = 1 aside."
    )
    return text + figure_html(run, figures, "resolution", caption)
