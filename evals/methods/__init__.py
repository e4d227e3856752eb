"""Every method, in one registry: what is compared, at the same label budget, with the same student."""

from askew.agent.loop import scientific
from askew.evals.methods.registry import METHODS, Method

METHODS.add(
    "scientific",
    Method("hypotheses, experiments, a mistake theory: the method askew is for", lambda lab, _: scientific(lab)),
)

# Importing a module adds its methods, in the order in which tables show them.
from askew.evals.methods import active, controls, label_free, passive, references  # noqa: E402

__all__ = ["METHODS", "Method", "active", "controls", "label_free", "passive", "references"]
