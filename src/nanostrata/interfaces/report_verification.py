"""What the measurements say to the atoms: the verdict for the first screen, and the section that gives the reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from nanostrata.interfaces.formatting import as_float, format_number, join_words
from nanostrata.interfaces.report_html import figure_html, html_table, number_or_dash, numbers_html
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["alert_text", "data_sets", "sentences_of", "verdict_html", "verification_html"]

_NAMES = {"asaxs": "ASAXS", "saxs": "SAXS", "waxs": "WAXS", "tem": "TEM", "edx": "EDX"}
_WORDS = {"agrees": ("pass", "✓ agrees"), "fails": ("fail", "✗ speaks against the atoms")}
_WIDE_ANGLE = (
    "Wide angles: measured pattern and that of the atoms, whose peaks are nobody's fit: place, height and width follow from "
    "where the atoms are. Free are a scale, a smooth background, one Debye-Waller factor and one factor on all distances. "
    "Orange: how well the pattern of so few particles is known."
)
_LARGE = 0.5  # corrections below half of their stated standard deviation are not told one by one
_MOST = 4


def sentences_of(value: Any) -> list[str]:
    """Sentences of a key that holds one, several, or a mapping with notes."""
    if isinstance(value, Mapping):
        return [s for key in ("sentence", "notes", "message", "messages") for s in sentences_of(value.get(key))]
    if isinstance(value, (list, tuple)):
        return [s for v in value for s in sentences_of(v)]
    return [value] if isinstance(value, str) and value else []


def data_sets(run: RunFolder) -> dict[str, Mapping[str, Any]]:
    """Entry of each data set that was held against the atoms, by its key."""
    verification = run.get("verification")
    if not isinstance(verification, Mapping):
        return {}
    return {str(k): v for k, v in verification.items() if isinstance(v, Mapping) and "verdict" in v}


def _passed(run: RunFolder) -> bool | None:
    """Verdict of the run; None when there is none. A data set that fails outweighs everything else."""
    if any(v["verdict"] == "fails" for v in data_sets(run).values()):
        return False
    passed = run.get("verification.passed")
    return passed if isinstance(passed, bool) else None


def _name(key: str) -> str:
    return _NAMES.get(key, key)


def _by_verdict(run: RunFolder, verdict: str) -> list[str]:
    return [_name(k) for k, v in data_sets(run).items() if v["verdict"] == verdict]


def _against(names: list[str]) -> str:
    if not names:
        return "the run marks its results as not verified"
    return f"{join_words(names)} speak{'s' if len(names) == 1 else ''} against the atoms"


def alert_text(run: RunFolder) -> str:
    """Banner of a run whose verification failed; "" for any other."""
    if _passed(run) is not False:
        return ""
    return f"Verification failed: {_against(_by_verdict(run, 'fails'))}. Results are kept and marked."


def verdict_html(run: RunFolder, *, link: bool = True) -> str:
    """One line: whether the atoms reproduce the measurements, or which data set speaks against them."""
    passed = _passed(run)
    if passed is None:
        return ""
    agree, fail = _by_verdict(run, "agrees"), _by_verdict(run, "fails")
    if passed:
        sign, word, kind = "✓", "Verified", "pass"
        text = f"the atoms reproduce {join_words(agree)}." if agree else "the atoms reproduce the measurements."
    else:
        sign, word, kind = "✗", "Verification failed", "fail"
        rest = f"; {join_words(agree)} agree{'s' if len(agree) == 1 else ''}" if agree else ""
        text = f"{_against(fail)}{rest}."
    more = ' <a href="#verification">See the evidence</a>' if link else ""
    return (
        f'<p class="verdict {kind}"><span class="sign" aria-hidden="true">{sign}</span>'
        f"<span><b>{word}:</b> {escape(text)}{more}</span></p>"
    )


def verification_html(run: RunFolder, figures: Mapping[str, str]) -> str:
    """Table of the data sets, curves of the atoms over the data, corrections in words, notes."""
    sets = data_sets(run)
    if _passed(run) is None and not sets:
        return ""
    threshold = as_float(run.get("verification.threshold_p"))
    text = "<p>Every measurement is predicted from the atoms themselves, not from the shell model that they were built from"
    text += f"; a data set speaks against them when p falls below {threshold:g}" if threshold > 0 else ""
    text += (
        ". Where the same data were fitted before, p comes out too high rather than too low, so that agreement says "
        "less than a failure does.</p>"
    )
    caption = (
        "Measured points and the curves of the ensemble of atoms (dark line), shifted apart by the factors given. Below, "
        "what the atoms leave of each curve in units of σ. Grey: ± 1 σ of the data. Orange: how well the curve of so few "
        "particles is known. Where a dashed line is drawn it is the shell model minus the atoms: what the step from "
        "shells to atoms changes."
    )
    parts = [
        verdict_html(run, link=False),
        text,
        _table(sets),
        numbers_html(run, ("verification",)),
        figure_html(run, figures, "verification", caption),
        figure_html(run, figures, "verification_waxs", _WIDE_ANGLE),
        _corrections(run, sets),
        _weights(run),
        _notes(run),
    ]
    return "".join(parts)


def _table(sets: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for key, entry in sets.items():
        kind, words = _WORDS.get(str(entry["verdict"]), ("", str(entry["verdict"])))
        chi2, dof = as_float(entry.get("chi2")), as_float(entry.get("degrees_of_freedom"))
        rows.append(
            [
                escape(_name(key)),
                f'<span class="verdict-word {kind}">{escape(words)}</span>',
                _chance(as_float(entry.get("p"))),
                number_or_dash(as_float(entry.get("chi2_reduced")), 2),
                f"{number_or_dash(chi2, 1)} / {number_or_dash(dof, 0)}",
                escape(" ".join(sentences_of(entry.get("sentence"))).replace("chi2", "χ²")),
            ]
        )
    headers = ["data set", "verdict", "p", "reduced χ²", "χ² / degrees of freedom", "in words"]
    return html_table(headers, rows, numeric=(2, 3, 4), classes={5: "prose"}) if rows else ""


def _chance(p: float) -> str:
    if math.isnan(p):
        return "–"
    return "&lt; 10⁻¹²" if p < 1e-12 else format_number(p, digits=2)


def _corrections(run: RunFolder, sets: Mapping[str, Mapping[str, Any]]) -> str:
    items = []
    for key, entry in sets.items():
        given = [c for c in entry.get("corrections") or [] if isinstance(c, Mapping)]
        sizes = [(str(c.get("name", "")), as_float(c.get("in_prior_sigma"))) for c in given]
        sizes = [(name, z) for name, z in sizes if name and math.isfinite(z)]
        if not sizes:
            continue
        large = [(name, z) for name, z in sorted(sizes, key=lambda c: -abs(c[1])) if abs(z) >= _LARGE][:_MOST]
        text = "; ".join(_in_words(run, name, z) for name, z in large)
        items.append(f"<li><b>{escape(_name(key))}:</b> {escape(text) if text else _none(sizes)}.</li>")
    if not items:
        return ""
    lead = (
        "<p>The curves may be corrected within stated priors before they are compared. What was used of it, the largest "
        "first:</p>"
    )
    return f"<h3>Corrections used</h3>{lead}<ul>{''.join(items)}</ul>"


def _none(sizes: list[tuple[str, float]]) -> str:
    largest = max(abs(z) for _, z in sizes)
    return (
        f"no correction larger than half of its stated standard deviation was needed (the largest {largest:.1f} of one)"
    )


def _in_words(run: RunFolder, name: str, z: float) -> str:
    """``curve of 9.630 keV lowered by 2.2 %, 1.5 times its stated standard deviation of 1.5 %``."""
    times = f"{abs(z):.1f} times its stated standard deviation"
    moved = "raised" if z > 0 else "lowered"
    kind, _, of = name.partition(" of ")
    stated = as_float(run.get("recipe.asaxs.scale_uncertainty"))
    if kind == "scale" and of:
        size = f" by {100 * stated * abs(z):.1f} %" if stated > 0 else ""
        return f"curve of {of} {moved}{size}, {times}{f' of {100 * stated:g} %' if stated > 0 else ''}"
    if kind.startswith("constant") and of:
        return f"constant background of {of} {moved}, {times}"
    if name.startswith("shape error"):
        return f"smooth deviation common to all energies (pattern {name.rsplit(' ', 1)[-1]}), {times}"
    return f"{name} {moved}, {times}"


_SIZES = {
    "diameter_mean_nm": "mean diameter (nm)",
    "diameter_std_nm": "standard deviation of the diameter (nm)",
    "aspect_ratio": "mean aspect ratio",
    "mean_shell_fraction": "x over all sites",
}


def _weights(run: RunFolder) -> str:
    """What other weights of the same particles would change; "" where nobody asked."""
    found = run.get("verification.weights")
    if not isinstance(found, Mapping):
        return ""
    lead = (
        "<p>The particles were counted anew: weights as near as possible to those as built with which every measurement "
        f"reaches p = {as_float(found.get('wanted_p')):g}. The verdicts above are those of the weights as built; p after is no test, since the weights "
        "were fitted.</p>"
    )
    text = f"<p><b>{escape(str(found.get('sentence', '')))}</b></p>"
    if not found.get("moved"):
        return f"<h3>Refined weights</h3>{lead}{text}"
    rows = [
        [
            escape(_name(str(d.get("name", "")))),
            *(number_or_dash(as_float(d.get(k)), 1) for k in ("chi2_before", "chi2_after")),
            number_or_dash(as_float(d.get("degrees_of_freedom")), 0),
            *(_chance(as_float(d.get(k))) for k in ("p_before", "p_after")),
        ]
        for d in found.get("data_sets") or []
    ]
    sizes = [
        [escape(_SIZES.get(name, name)), *(number_or_dash(as_float(v.get(k)), 3) for k in ("before", "after"))]
        for name, v in (found.get("sizes") or {}).items()
    ]
    return (
        f"<h3>Refined weights</h3>{lead}{text}"
        + html_table(
            ["data set", "χ² before", "χ² after", "degrees of freedom", "p before", "p after"],
            rows,
            numeric=(1, 2, 3, 4, 5),
        )
        + html_table(["of the ensemble", "before", "after"], sizes, numeric=(1, 2))
    )


def _notes(run: RunFolder) -> str:
    notes = sentences_of(run.get("verification.notes"))
    items = "".join(f"<li>{escape(_upper(n))}</li>" for n in notes)
    return f"<h3>What was allowed for</h3><ul>{items}</ul>" if items else ""


def _upper(note: str) -> str:
    """``asaxs: …`` becomes ``ASAXS: …``."""
    key, colon, rest = note.partition(":")
    return f"{_NAMES[key]}{colon}{rest}" if key in _NAMES else note
