"""Fixed sentences: messages that an application wrote word for word, and that tell its errors apart.

``ShopError: card declined`` and ``ShopError: database unreachable`` from one function are two causes. A
message with a value in it is not told from one of words alone by looking at one of them (``bad address
alice``), so only a sentence in small letters counts, and only with a type that no language or framework
brings along: theirs say one thing in several wordings.
"""

from __future__ import annotations

import re

from ai_ops.core.grouping.v1.message import WILDCARD, template

_LONGEST = 120
# Of Python, JavaScript, Ruby, PHP and Dart, written out so that no release of Python changes a fingerprint.
_BARE_NAMES = """
AggregateError ArgumentCountError ArgumentError ArithmeticError AssertionError AttributeError
BadFunctionCallException BadMethodCallException BaseException BaseExceptionGroup BlockingIOError
BrokenPipeError BufferError BytesWarning ChildProcessError ClosedQueueError ConnectionAbortedError
ConnectionError ConnectionRefusedError ConnectionResetError DOMException DeprecationWarning
DivisionByZeroError DomainException EOFError EncodingError EncodingWarning EnvironmentError ErrorException
EvalError Exception ExceptionGroup FiberError FileExistsError FileNotFoundError FloatingPointError
FormatException FrozenError FutureWarning GeneratorExit IOError ImportError ImportWarning
IncompleteInputError IndentationError IndexError InternalError InterruptedError InvalidArgumentException
IsADirectoryError JsonException KeyError KeyboardInterrupt LengthException LoadError LocalJumpError
LogicException LookupError MemoryError ModuleNotFoundError NameError NoMatchingPatternError NoMethodError
NotADirectoryError NotImplementedError OSError OutOfBoundsException OutOfRangeException OverflowError
OverflowException PDOException ParseError PendingDeprecationWarning PermissionError ProcessLookupError
PythonFinalizationError RangeError RangeException RecursionError ReferenceError RegexpError
ResourceWarning RuntimeError RuntimeException RuntimeWarning ScriptError SecurityError SignalException
StateError StopAsyncIteration StopIteration SyntaxError SyntaxWarning SystemCallError SystemError
SystemExit SystemStackError TabError ThreadError TimeoutError TypeError URIError UnboundLocalError
UncaughtThrowError UnderflowException UnexpectedValueException UnhandledMatchError UnicodeDecodeError
UnicodeEncodeError UnicodeError UnicodeTranslateError UnicodeWarning UserWarning ValueError Warning
ZeroDivisionError
"""
_BARE = frozenset(_BARE_NAMES.split())
_FRAMEWORKS = re.compile(
    r"(?:java|javax|jakarta|jdk|sun|kotlin|kotlinx|scala|System|Microsoft|Net|IO|Errno|OpenSSL|JSON|Zlib|Timeout|org"
    r"|com\.(?:sun|google|fasterxml|mysql|microsoft|zaxxer|amazonaws)|io\.(?:netty|grpc|lettuce|micrometer)|reactor"
    r"|Action\w{4,10}|Active\w{3,8}|Faraday|Redis|PG|Mysql2|Rack|Sidekiq|Illuminate|Symfony|Doctrine|GuzzleHttp"
    r"|Npgsql|MySql|Dapper|Grpc|Newtonsoft|StackExchange|asyncio|concurrent|http|json|socket|ssl|urllib|urllib3"
    r"|requests|httpx|httpcore|aiohttp|sqlalchemy|psycopg|psycopg2|asyncpg|pymysql|MySQLdb|sqlite3|redis|pymongo"
    r"|botocore|boto3|django|flask|werkzeug|jinja2|pydantic\w*|celery|kombu|grpc|google|xml|zipfile|subprocess"
    r")(?:\.|::|\\)"
)
_SENTENCE = re.compile(r"\w[a-z',-]*(?: [a-z',-]+){1,11}\.?")


def sentence(exception_type: str, message: str) -> str:
    """Return the fixed sentence that a message is, or begins with before a colon; '' when it is none."""
    head = re.split(r":\s|\n", message[: _LONGEST + 2].strip(), maxsplit=1)[0]
    if len(head) > _LONGEST or not _own(exception_type):
        return ""
    plain = _SENTENCE.fullmatch(head) or (not head.isascii() and head.isalpha())
    return head.rstrip(".") if plain and WILDCARD not in template(head) else ""


def _own(exception_type: str) -> bool:
    """Return whether a type is an application's, as far as its name tells."""
    name = exception_type.lstrip("\\")
    return bool(name) and name not in _BARE and not _FRAMEWORKS.match(name)
