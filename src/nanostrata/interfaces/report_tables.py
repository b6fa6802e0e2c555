"""The report's table of what other tables of f', f'' make of the profile."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from nanostrata.interfaces.report_html import html_table, numbers_html
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["table_changes_section"]


def table_changes_section(run: RunFolder) -> str:
    """Return the change of x per shell by each table, and by the error of a measured f'; empty where nothing was tried."""
    changes = run.get("profile.table_changes")
    gone = run.get("profile.table_left_out")
    if not isinstance(changes, Mapping) or not (changes or gone):
        return ""
    used = escape(str(run.get("profile.table_used") or "the table in use"))
    chi2 = run.get("profile.table_chi2_changes")
    rows = []
    for name, values in changes.items():
        better = chi2.get(name) if isinstance(chi2, Mapping) else None
        cells = [escape(str(name)), *(_signed(v, 3) for v in values)]
        rows.append([*cells, "–" if better is None else _signed(better, 1)])
    sigma = run.get("profile.table_sigma")
    if isinstance(sigma, list) and sigma:
        rows.append(["one standard deviation of the measured f′", *(f"± {float(v):.3f}" for v in sigma), "–"])
    shells = run.get("profile.shell_fraction")
    sd = shells.get("sigma") if isinstance(shells, Mapping) else None
    if rows and isinstance(sd, list) and len(sd) == len(rows[0]) - 2:
        rows.append(["for comparison: standard deviation of x", *(f"± {float(v):.3f}" for v in sd), "–"])
    parts = [
        f"<h3>Other tables of f′, f″</h3><p>Change of x when the profile is fitted again with another table than {used}.</p>"
    ]
    if rows:
        names = [f"shell {k + 1}" for k in range(len(rows[0]) - 2)]
        parts.append(html_table(["table", *names, "change of chi2"], rows, numeric=range(1, len(names) + 2)))
        parts.append(numbers_html(run, ("table_changes",)))
    if isinstance(gone, Mapping):
        parts += [
            f'<p class="note">{escape(str(name))} is left out: {escape(str(why))}</p>' for name, why in gone.items()
        ]
    return "".join(parts)


def _signed(value: float, decimals: int) -> str:
    return f"{float(value):+.{decimals}f}".replace("-", "\u2212")
