"""Every method, in one registry: what is compared, at the same label budget, with the same student."""

from askew.agent.loop import scientific
from askew.evals.methods.registry import METHODS, Method

METHODS.add(
    "scientific",
    Method("hypotheses, experiments, a mistake theory: the method askew is for", lambda lab, _: scientific(lab)),
)

# Importing a module adds its methods, in the order in which tables show them.
# ruff: isort: off
from askew.evals.methods import controls, active  # noqa: E402
from askew.evals.methods import label_free, coherence  # noqa: E402
from askew.evals.methods import passive, auxiliary, denoise, generative, references  # noqa: E402
# ruff: isort: on

__all__ = [
    "METHODS", "Method", "active", "auxiliary", "coherence", "controls", "denoise", "generative", "label_free",
    "passive", "references",
]  # fmt: skip
