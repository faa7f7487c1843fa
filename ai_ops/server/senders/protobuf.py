"""The binary form of OTLP logs, read into the shape of its JSON form.

A few message types are all there is, so they are described here instead of carrying a library of generated
code. Unknown fields are passed over, as the format wants it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

_MAX_DEPTH = 40
_MAX_FIELDS = 2_000_000
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5

# Per message: field number → (name, how it is read, whether it repeats). A message is read by its name.
_MESSAGES: dict[str, dict[int, tuple[str, str, bool]]] = {
    "Request": {1: ("resourceLogs", "ResourceLogs", True)},
    "ResourceLogs": {1: ("resource", "Resource", False), 2: ("scopeLogs", "ScopeLogs", True)},
    "Resource": {1: ("attributes", "KeyValue", True)},
    "ScopeLogs": {1: ("scope", "Scope", False), 2: ("logRecords", "LogRecord", True)},
    "Scope": {1: ("name", "string", False)},
    "LogRecord": {
        1: ("timeUnixNano", "number", False),
        2: ("severityNumber", "number", False),
        3: ("severityText", "string", False),
        5: ("body", "AnyValue", False),
        6: ("attributes", "KeyValue", True),
        9: ("traceId", "hex", False),
        10: ("spanId", "hex", False),
        11: ("observedTimeUnixNano", "number", False),
    },
    "KeyValue": {1: ("key", "string", False), 2: ("value", "AnyValue", False)},
    "AnyValue": {
        1: ("stringValue", "string", False),
        2: ("boolValue", "bool", False),
        3: ("intValue", "signed", False),
        4: ("doubleValue", "double", False),
        5: ("arrayValue", "ArrayValue", False),
        6: ("kvlistValue", "KeyValueList", False),
        7: ("bytesValue", "hex", False),
    },
    "ArrayValue": {1: ("values", "AnyValue", True)},
    "KeyValueList": {1: ("values", "KeyValue", True)},
}


def read_request(data: bytes) -> dict[str, Any]:
    """Return an ``ExportLogsServiceRequest``.

    Raises:
        ValueError: it is none.
    """
    return _Reader(data).message("Request", 0, len(data), 0)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = _MAX_FIELDS

    def message(self, name: str, begin: int, end: int, depth: int) -> dict[str, Any]:
        if depth > _MAX_DEPTH:
            raise ValueError("is nested too deep")
        found: dict[str, Any] = {}
        fields = _MESSAGES[name]
        for number, kind, value, size in self._fields(begin, end):
            if number not in fields:
                continue
            key, how, repeats = fields[number]
            if how in _MESSAGES:
                _expect(kind, _LENGTH)
                item: Any = self.message(how, value, value + size, depth + 1)
            else:
                item = self._scalar(how, kind, value, size)
            if repeats:
                found.setdefault(key, []).append(item)
            else:
                found[key] = item
        return found

    def _scalar(self, how: str, kind: int, value: int, size: int) -> Any:
        if how in ("string", "hex"):
            _expect(kind, _LENGTH)
            data = self._data[value : value + size]
            return data.decode("utf-8", "replace") if how == "string" else data.hex()
        if kind == _LENGTH:
            raise ValueError("a number is not written as one")
        if how == "double":
            return struct.unpack("<d", value.to_bytes(8, "little"))[0]
        if how == "bool":
            return bool(value)
        return value - (1 << 64) if how == "signed" and value >> 63 else value

    def _fields(self, begin: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (number, wire type, value or offset, size) of each field."""
        position = begin
        while position < end:
            self._left -= 1
            if self._left < 0:
                raise ValueError("has too many fields")
            tag, position = self._varint(position, end)
            number, kind = tag >> 3, tag & 7
            if kind == _VARINT:
                value, position = self._varint(position, end)
                yield number, kind, value, 0
                continue
            if kind == _LENGTH:
                size, position = self._varint(position, end)
            elif kind in (_FIXED64, _FIXED32):
                size = 8 if kind == _FIXED64 else 4
            else:
                raise ValueError("holds a field of an unknown form")
            if position + size > end:
                raise ValueError("ends early")
            if kind == _LENGTH:
                yield number, kind, position, size
            else:
                yield number, kind, int.from_bytes(self._data[position : position + size], "little"), size
            position += size

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while position < end and shift < 70:
            byte = self._data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (1 << 64) - 1, position
            shift += 7
        raise ValueError("ends early")


def _expect(kind: int, wanted: int) -> None:
    if kind != wanted:
        raise ValueError("a field is not of the form it should be")


def write_response(rejected: int, reason: str) -> bytes:
    """Return an ``ExportLogsServiceResponse``; it is empty when everything was taken."""
    if not rejected:
        return b""
    words = reason.encode()
    partial = b"\x08" + _number(rejected) + b"\x12" + _number(len(words)) + words
    return b"\x0a" + _number(len(partial)) + partial


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
