"""What Blindscope raises. Every text says what was found, what was expected and what to do."""


class BlindscopeError(Exception):
    """Anything that Blindscope refuses."""


class DataError(BlindscopeError, ValueError):
    """Files, tiles or rows that cannot be used."""


class HeadError(BlindscopeError, ValueError):
    """A head that cannot be trained, read or written."""


class PlanError(BlindscopeError, ValueError):
    """No plan keeps what was asked for."""


class InferenceError(BlindscopeError):
    """A question, an answer or keys that do not belong together."""


class SumError(BlindscopeError):
    """A sum of sites that cannot be planned, uploaded or opened."""


class AuditError(BlindscopeError):
    """An audit that cannot be run, or whose report cannot be written."""


class StudyError(BlindscopeError):
    """A kit, a document or a study's services refused."""


class JobFailed(StudyError):
    """A job ended without a result; the text says which sites, which cause, what to do."""


class Unreachable(StudyError, ConnectionError):
    """The coordinator cannot be reached, or is busy: trying again may help."""
