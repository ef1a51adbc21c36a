"""The errors of Millrace: few, named, and each tells a person what to do next."""


class MillraceError(Exception):
    """Base of every error that Millrace raises on purpose."""


class ConfigError(MillraceError):
    """Settings or contracts are wrong; nothing was started. Fix the named file or variable."""


class DataError(MillraceError):
    """The data broke a promise (a gate, a schema). Retrying changes nothing."""


class Unbalanced(DataError):
    """The ledger does not balance: records are missing somewhere, or there twice."""


class TransientError(MillraceError):
    """A service did not answer as it should; the same call may succeed later."""


class FencedError(MillraceError):
    """Another driver holds the lease; this one must stop before it writes."""
