"""A host's published OpenAPI description, to hold the exchanges with its double against."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.support.api_double import Exchange

_FOLDER = Path(__file__).parents[1] / "data" / "openapi"


class Description:
    """A description.

    Args:
        name: of its file.
        prefix: what stands before its paths in an exchange's.
        lenient: what GitLab's generator gets wrong is let through: null for what is missing, a number
            for the text that ``access_level`` is said to be.
    """

    def __init__(self, name: str, prefix: str, *, lenient: bool = False) -> None:
        self.document: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text())
        self.prefix = prefix
        self.lenient = lenient
        resource = Resource(contents=self.document, specification=DRAFT202012)
        self.registry: Any = Registry().with_resource("urn:host", resource)

    def problems(self, exchange: Exchange) -> list[str]:
        """Return what about an exchange is not as it is described."""
        path = exchange.path.removeprefix(self.prefix)
        operation = self._operation(exchange.method, path)
        if operation is None:
            return [f"{exchange.method} {path} is not described"]
        return [
            *self._of_answer(operation, exchange),
            *self._of_body(operation, exchange),
            *self._of_query(operation, exchange),
        ]

    def _of_answer(self, operation: dict[str, Any], exchange: Exchange) -> list[str]:
        answers = operation["responses"].get(str(exchange.status))
        if answers is None:
            # Every operation can be refused; GitLab's description tells few of those.
            return [] if exchange.status >= 400 else [f"{exchange.status} is not described"]
        if "$ref" in answers:
            answers = self.document["components"]["responses"][answers["$ref"].rsplit("/", 1)[1]]
        content = answers.get("content", {}).get("application/json")
        if content is None or isinstance(exchange.answer, str):
            return []
        return [f"answer {each}" for each in self._invalid(content["schema"], exchange.answer)]

    def _of_body(self, operation: dict[str, Any], exchange: Exchange) -> list[str]:
        if exchange.body is None:
            return []
        body = exchange.body
        if isinstance(body, list):
            # "You can also pass an array of labels directly", says GitHub in words alone.
            body = {"labels": body}
        if self.lenient and isinstance(body.get("labels"), str):
            body = {**body, "labels": body["labels"].split(",")}  # GitLab takes commas
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        return [f"request {each}" for each in self._invalid(schema, body)]

    def _of_query(self, operation: dict[str, Any], exchange: Exchange) -> list[str]:
        known = {self._parameter(each)["name"] for each in operation.get("parameters", [])}
        return [f"query {name} is not described" for name in exchange.query if name not in known]

    def _parameter(self, parameter: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in parameter:
            return parameter
        found: dict[str, Any] = self.document["components"]["parameters"][parameter["$ref"].rsplit("/", 1)[1]]
        return found

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for template in sorted(self.document["paths"], key=lambda t: (t.count("{"), -len(t))):
            pattern = re.sub(r"\\{ref\\}", ".+?", re.escape(template))
            pattern = re.sub(r"\\{[^}]+\\}", "[^/]+", pattern)
            if re.fullmatch(pattern, path) and method.lower() in self.document["paths"][template]:
                found: dict[str, Any] = self.document["paths"][template][method.lower()]
                return found
        return None

    def _invalid(self, schema: dict[str, Any], value: Any) -> list[str]:
        value = _without_nulls(value) if self.lenient else value
        validator = OAS30Validator(_absolute(schema), registry=self.registry)
        return [f"{e.json_path}: {e.message[:200]}" for e in validator.iter_errors(value)]


@cache
def github() -> Description:
    """Return GitHub's description."""
    return Description("github", "/api/v3")


@cache
def gitlab() -> Description:
    """Return GitLab's description."""
    return Description("gitlab", "", lenient=True)


def _absolute(schema: Any) -> Any:
    """Return a schema whose references name the whole document."""
    if isinstance(schema, dict):
        return {
            k: f"urn:host{v}" if k == "$ref" else _absolute(v)
            for k, v in schema.items()
            if k != "discriminator"
        }
    return [_absolute(part) for part in schema] if isinstance(schema, list) else schema


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_nulls(part) for key, part in value.items() if part is not None}
        return {key: str(part) if key == "access_level" else part for key, part in kept.items()}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value
