"""Which of Java's own exceptions are kinds of which, as far as a handler for one catches another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_BASES: Mapping[str, tuple[str, ...]] = {
    "RuntimeException": (
        "IllegalArgumentException", "IllegalStateException",
        "IndexOutOfBoundsException", "NullPointerException",
        "ArithmeticException", "ClassCastException",
        "ConcurrentModificationException", "NoSuchElementException",
        "UnsupportedOperationException", "NegativeArraySizeException",
        "ArrayStoreException", "DateTimeException",
        "UncheckedIOException", "BufferUnderflowException", "EmptyStackException", "MissingResourceException",
    ),
    "IllegalArgumentException": ("NumberFormatException", "PatternSyntaxException", "InvalidPathException",
        "IllegalFormatException", "IllegalCharsetNameException", "UnsupportedCharsetException"),
    "IllegalStateException": ("CancellationException", "IllegalSelectorException"),
    "IndexOutOfBoundsException": ("ArrayIndexOutOfBoundsException", "StringIndexOutOfBoundsException"),
    "NoSuchElementException": ("InputMismatchException",),
    "DateTimeException": ("DateTimeParseException", "UnsupportedTemporalTypeException"),
    "IOException": (
        "FileNotFoundException", "FileSystemException", "EOFException", "UnsupportedEncodingException",
        "MalformedURLException", "UnknownHostException",
        "SocketException", "InterruptedIOException", "SSLException",
        "CharacterCodingException", "ObjectStreamException", "ZipException", "HttpTimeoutException",
        "JsonProcessingException",
    ),
    "InterruptedIOException": ("SocketTimeoutException",),
    "JsonProcessingException": ("JsonParseException", "JsonMappingException"),
    "SocketException": ("ConnectException", "BindException", "NoRouteToHostException"),
    "FileSystemException": ("NoSuchFileException", "AccessDeniedException", "FileAlreadyExistsException",
        "DirectoryNotEmptyException", "NotDirectoryException"),
    "SQLException": ("SQLTimeoutException",
        "BatchUpdateException", "SQLIntegrityConstraintViolationException",
        "SQLSyntaxErrorException", "SQLTransientException"),
    "ReflectiveOperationException": ("ClassNotFoundException",
        "NoSuchFieldException", "NoSuchMethodException",
        "InstantiationException", "IllegalAccessException", "InvocationTargetException"),
    "GeneralSecurityException": ("NoSuchAlgorithmException", "InvalidKeyException", "SignatureException"),
    "Error": ("AssertionError", "StackOverflowError",
        "OutOfMemoryError", "NoClassDefFoundError", "LinkageError"),
}  # fmt: skip


def bases(name: str) -> Iterator[str]:
    """Yield a type and everything that it is a kind of, as far as that is known."""
    at: str | None = name
    while at is not None:
        yield at
        at = next((base for base, kinds in _BASES.items() if at in kinds), None)
