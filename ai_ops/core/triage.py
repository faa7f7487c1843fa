"""Triage: what kind of trouble an error is, by rule, and whether a repair should be tried.

A pull request for a user's mistake or a full disk harms more than it helps, so only a fault that lies
in the repository's own code is repaired without a person asking. The rules read what the error *is*
(its type, its frames, what the system said) and never follow what its text asks for.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from ai_ops.flow.event import ErrorDetail
from ai_ops.flow.issue import TriageClass, TriageDecision

_QUIET_LEVELS = frozenset({"trace", "debug", "verbose", "info", "notice"})

_STOPPED = frozenset(
    {"KeyboardInterrupt", "SystemExit", "GeneratorExit", "CancelledError", "AbortError", "Interrupt"}
)

# What users and callers get told: matched on the type's last word, whatever the language.
_EXPECTED = re.compile(
    r"(\w*Validation(Error|Exception|Failed|Errors)?|RequestValidationError|ConstraintViolation(Exception)?"
    r"|MethodArgumentNotValidException|RecordInvalid|RecordNotFound|ModelNotFoundException"
    r"|(User)?PermissionDenied\w*|AccessDenied\w*|NotAuthenticated\w*|AuthenticationFailed\w*"
    r"|Authentication(Error|Exception)|Authorization(Error|Exception)|Unauthori[sz]ed\w*|Forbidden\w*"
    r"|BadCredentials\w*|InvalidCredentials\w*|NotAuthori[sz]ed\w*|InvalidToken\w*|ExpiredSignature\w*|TokenExpired\w*"
    r"|BadRequest\w*|InvalidInput\w*|InvalidRequest\w*|UserInputError|Http404|NotFound(Error)?|HTTPNotFound|NotFoundHttpException|NotFoundException|ResourceNotFoundException"
    r"|MethodNotAllowed\w*|HTTP(BadRequest|Unauthorized|Forbidden|Conflict|Gone)|UnprocessableEntity\w*"
    r"|TooManyRequests\w*|Throttled|RateLimitExceeded\w*|SuspiciousOperation|DisallowedHost|HttpClientErrorException)"
)

_INFRASTRUCTURE = re.compile(
    r"(Connection(Refused|Reset|Aborted|Closed|Timeout|Lost|Failed)?(Error|Exception)?|BrokenPipe(Error)?|gaierror|herror"
    r"|(Asyncio)?Timeout(Error|Exception)?|timeout|(Connect|Read|Write|Pool|Socket|Server|Network|Gateway)Timeout"
    r"(Error|Exception)?|TimeoutExpired|Connect(Error|Exception)|NewConnectionError|MaxRetryError|UnknownHostException"
    r"|NoRouteToHostException|PortUnreachableException|SocketException|SSLError|SSLHandshakeException"
    r"|MemoryError|OutOfMemoryError|NoMemoryError|HttpServerErrorException|ServiceUnavailable\w*|BadGateway\w*"
    r"|CommunicationsException|MongoNetworkError|MongoServerSelectionError|ServerSelectionTimeoutError"
    r"|KafkaTimeoutError|NoBrokersAvailable|AMQPConnectionError|DeadlineExceeded"
    r"|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTFOUND|ENOSPC|EAI_AGAIN)"
)

# Types that only carry what the system or the other side said; their message decides.
_CARRIER = re.compile(
    r"(OSError|IOError|EnvironmentError|IOException|Error|Exception|RuntimeError|RuntimeException|SystemError"
    r"|PermissionError|AccessDeniedException|FileSystemException|SystemCallError|panic|fatal error|FatalError"
    r"|URLError|HTTPError|HTTPException|HttpException|HTTPStatusError|HttpRequestException|RequestException"
    r"|RequestError|ResponseError|AxiosError|FetchError|Client(Connector|OS|Response|Payload)?Error"
    r"|OperationalError|InterfaceError|DatabaseError|InternalError|PDOException|SQLException|SQL\w*Exception"
    r"|\w*(Rpc|Redis|Kafka|Amqp|AMQP|Mongo|Smtp|SMTP|Elastic|Botocore|Boto)\w*)"
)
_SYSTEM_SAID = re.compile(
    r"connection (was )?(refused|reset|aborted|timed out|closed by)|could not connect|can't connect"
    r"|failed to connect"
    r"|server closed the connection|lost connection|too many connections|broken pipe"
    r"|no such host|name or service not known|temporary failure in name resolution|nodename nor servname"
    r"|getaddrinfo|could not resolve|no route to host|network is unreachable|host is unreachable"
    r"|no space left|disk (is )?full|disk quota|read-only file system|input/output error|too many open files"
    r"|out of memory|cannot allocate memory|heap out of memory|heap space"
    r"|timed out|timeout (exceeded|expired|of \d)|(request|connect|connection|operation|gateway) timeout"
    r"|deadline exceeded|certificate (verify failed|has expired)|tls handshake"
    r"|econnrefused|econnreset|etimedout|enotfound|eai_again|enospc|emfile|ehostunreach|enetunreach|epipe"
    r"|\[errno (13|28|5|12|23|24|30|32|101|104|110|111|113)\]|permission denied|eacces",
    re.IGNORECASE,
)
_HTTP_CARRIER = re.compile(r"\w*(HTTP|Http)\w*(Error|Exception)|AxiosError|ResponseError|RequestException")
_BETWEEN_WORDS = re.compile(r"[.\\/$]|::")
_STATUS = re.compile(r"(?<![\d.:])([45])\d\d(?![\d.])")


class _Kind(NamedTuple):
    """What a type's name alone tells."""

    infrastructure: bool
    http: bool
    carrier: bool
    expected: bool


@lru_cache(maxsize=1024)
def _kind_of(name: str) -> _Kind:
    rules = (_INFRASTRUCTURE, _HTTP_CARRIER, _CARRIER, _EXPECTED)
    return _Kind(*(rule.fullmatch(name) is not None for rule in rules))


def short_type(exception_type: str) -> str:
    """Return the last word of an exception's type, whatever stands between the words of its language."""
    return _BETWEEN_WORDS.split(exception_type.strip().rstrip(":"))[-1]


def triage(error: ErrorDetail, level: str = "") -> TriageDecision:
    """Return the class of an error, whether to repair it unasked, and why.

    A missing file (``FileNotFoundError``) met in the application's own code counts as its fault: the
    code chose the path and can handle its absence, and a test can show it. A refused permission does
    not: it belongs to the machine or to the user, and loosening it is no repair.
    """
    name = short_type(error.exception_type)
    if level.strip().lower() in _QUIET_LEVELS:
        return _no(
            TriageClass.EXPECTED,
            f"It was logged at level {level.strip().lower()}: the application handled it.",
        )
    if name in _STOPPED:
        return _no(TriageClass.EXPECTED, f"{name} is how a program is stopped.")
    if found := _by_the_system(name, error.message if name else error.message or error.raw_excerpt):
        return found
    if _kind_of(name).expected:
        return _no(TriageClass.EXPECTED, f"{name} tells a user or caller that a request was refused.")
    if name == "PermissionError":
        return _no(TriageClass.EXPECTED, "The application denied a permission; that is its answer to a user.")
    return _by_place(name, error)


def _by_the_system(name: str, message: str) -> TriageDecision | None:
    """Judge what a system call, the network or the other side of a request said."""
    kind = _kind_of(name)
    if kind.infrastructure:
        return _no(TriageClass.INFRASTRUCTURE, f"{name} comes from the network, the machine or a service.")
    status = _STATUS.search(message) if kind.http else None
    if status and status[1] == "4":
        return _no(TriageClass.EXPECTED, f"{name} reports HTTP {status[0]}: a request was refused.")
    if status and name not in ("HTTPException", "HttpException"):
        return _no(TriageClass.INFRASTRUCTURE, f"{name} reports HTTP {status[0]}: the other side failed.")
    said = _SYSTEM_SAID.search(message) if not name or kind.carrier else None
    if name == "TypeError" and message.strip() == "fetch failed":  # how Node tells of a lost network
        return _no(TriageClass.INFRASTRUCTURE, "A request could not reach the other side.")
    if said:
        return _no(TriageClass.INFRASTRUCTURE, f"The system said “{said[0].lower()}”.")
    return None


def _by_place(name: str, error: ErrorDetail) -> TriageDecision:
    """Judge by where it happened: the repository's own code, somebody else's, or nowhere we know."""
    if not name:
        return _no(TriageClass.UNKNOWN, "The record names no exception type.")
    if not error.frames:
        return _no(TriageClass.UNKNOWN, f"{name} came without a stack trace, so its place is not known.")
    if not any(frame.in_app for frame in error.frames):
        return _no(TriageClass.DEPENDENCY, f"No frame of {name} lies in the repository's own code.")
    return TriageDecision(
        TriageClass.CODE_FAULT, True, f"{name} was raised through the repository's own code."
    )


def _no(triage_class: TriageClass, reason: str) -> TriageDecision:
    return TriageDecision(triage_class, False, reason)
