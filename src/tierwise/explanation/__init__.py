"""Why a predictor scores an architecture as it does: which paths, operations and costs raise or lower the score."""

from tierwise.explanation.shapley import Explanation, Reason, explain

__all__ = ["Explanation", "Reason", "explain"]
