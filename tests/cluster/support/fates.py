"""The fate of a command by the first word of its error (README.md#what-it-promises).

OK: done, the reply is its result. FAIL: certainly not applied. INFO: unknown, may apply now, later
or never. A first word outside the table is a violation of the contract: checkers (ours, Jepsen's)
would have to guess.
"""
from __future__ import annotations

from .resp import RespError

OK, FAIL, INFO = "ok", "fail", "info"

CERTAINLY_NOT_APPLIED = {
    "MOVED", "CLUSTERDOWN", "NOCLUSTER", "NOTLEADER", "CROSSSLOT", "TRYAGAIN", "LOADING", "OOM",
    "READONLY", "NOAUTH", "NOPERM", "WRONGTYPE", "ERR", "EXECABORT", "NOPROTO", "WRONGPASS",
    "MISCONF", "UNBLOCKED", "BUSYGROUP", "NOGROUP",
}
UNKNOWN = {"TIMEOUT"}
# What says "the cluster could not", as against "the command was wrong".
UNAVAILABLE = {"MOVED", "CLUSTERDOWN", "NOCLUSTER", "NOTLEADER", "TRYAGAIN", "LOADING", "OOM",
               "TIMEOUT", "MISCONF"}


class UnknownErrorWord(AssertionError):
    pass


def of_error(error: RespError) -> str:
    if error.code in UNKNOWN:
        return INFO
    if error.code in CERTAINLY_NOT_APPLIED:
        return FAIL
    raise UnknownErrorWord(f"error with a first word that tells no fate: {error.text!r}")


def of_reply(reply: object) -> str:
    return of_error(reply) if isinstance(reply, RespError) else OK
