"""A microscope that works blind.

Features of tiles are learned from and asked about under encryption (CKKS):

>>> import numpy as np, blindscope
>>> rng = np.random.default_rng(0)
>>> X = np.concatenate([rng.normal(-1, 1, (50, 8)), rng.normal(1, 1, (50, 8))])
>>> y = np.repeat(["benign", "tumour"], 50)
>>> head = blindscope.Head(kind="linear", epochs=10).fit(X, y)
>>> plan = head.plan(batch=4)
>>> asker = blindscope.Asker(plan)                                  # the hospital that asks
>>> server = blindscope.Server(plan, head, asker.public_keys())     # the hospital that answers
>>> logits = asker.decrypt(server.answer(asker.encrypt(X[:4])), rows=4)
>>> bool(np.abs(logits - head.logits(X[:4])).max() < plan.error_bound)
True
"""

from . import errors
from ._native import Asker, Audit, AuditReport, Backbone, Features, Plan, Roster, SumServer, SumSite, __version__
from .errors import BlindscopeError
from .head import Head, Server
from .study import Job, Prediction, Study

__all__ = [
    "Asker",
    "Audit",
    "AuditReport",
    "Backbone",
    "BlindscopeError",
    "Features",
    "Head",
    "Job",
    "Plan",
    "Prediction",
    "Roster",
    "Server",
    "Study",
    "SumServer",
    "SumSite",
    "__version__",
    "errors",
]
