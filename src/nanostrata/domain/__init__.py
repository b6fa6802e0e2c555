"""The nouns: frozen, validated data that stages hand to each other. No physics, no files, no plots."""

from nanostrata.domain.atoms import AtomicModel
from nanostrata.domain.base import ComplexArray, Domain, FloatArray, IntArray
from nanostrata.domain.curve import ScatteringCurve
from nanostrata.domain.material import Composition, Material, Medium
from nanostrata.domain.origin import Origin
from nanostrata.domain.profile import ShellProfile
from nanostrata.domain.sizes import SizeDistribution

__all__ = [
    "AtomicModel",
    "ComplexArray",
    "Composition",
    "Domain",
    "FloatArray",
    "IntArray",
    "Material",
    "Medium",
    "Origin",
    "ScatteringCurve",
    "ShellProfile",
    "SizeDistribution",
]
