"""The interface's description at `/swagger.json`, and the page at `/docs` that reads it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tidegate_runtime import logs
from tidegate_runtime.script import InputMode, Script
from tidegate_runtime.settings import Settings

DOCS_PAGE = (Path(__file__).parent / "docs.html").read_bytes()

_VERSIONS = {"2": "2", "2.0": "2", "3": "3", "3.0": "3", "3.1": "3.1"}
"""What a client may ask for -> which document it gets."""
_FILES = {"2": ("swagger.json", "swagger2.json"), "3": ("swagger3.json",), "3.1": ("swagger3.1.json",)}
"""Files in the app root or beside the script that win over what is generated."""
_ANY_OBJECT: dict[str, Any] = {"type": "object", "example": {}}
_HEALTHY = "If service is up and running, this response will be returned with the content 'Healthy'"
_SCORED = "The service processed the input correctly and provided a result prediction, if applicable."
_FAILED = "The service failed to execute due to an error."


class SwaggerError(Exception):
    """There is no document of the version that was asked for; the message is for the client."""


class Swagger:
    """The documents of a script, in each version that its schema can be said in."""

    def __init__(self, settings: Settings, script: Script) -> None:
        self._documents: dict[str, Any] = {}
        supported, given, returned = _schemas(script)
        for version in dict.fromkeys(_VERSIONS.values()):
            document = _from_file(settings, version)
            if document is None and version in supported:
                document = _swagger2(settings, given, returned) if version == "2" else None
                document = document or _openapi3(settings, given, returned, version)
            if document is not None:
                self._documents[version] = document

    def document(self, version: str) -> Any:
        """The document of a version such as `2`, `3.0` or `3.1`."""
        there = ", ".join(sorted(self._documents))
        if version not in _VERSIONS:
            raise SwaggerError(f"Swagger version [{version}] is not valid. Supported versions: [{there}].")
        document = self._documents.get(_VERSIONS[version])
        if document is None:
            raise SwaggerError(
                f"Swagger version [{version}] is not supported for the scoring script. "
                f"Supported swagger versions: [{there}]."
            )
        return document


def _schemas(script: Script) -> tuple[set[str], Any, Any]:
    """The versions that a script's types can be said in, and the schemas of its input and output."""
    if script.schemas is not None:
        return {"2", "3", "3.1"}, *script.schemas
    if script.mode is not InputMode.SCHEMA:
        return {"2", "3", "3.1"}, _ANY_OBJECT, _ANY_OBJECT
    schema_util: Any = sys.modules["inference_schema.schema_util"]
    names = {str(name) for name in schema_util.get_supported_versions(script.run)}
    supported = {document for name, document in _VERSIONS.items() if name in names}
    return supported, schema_util.get_input_schema(script.run), schema_util.get_output_schema(script.run)


def _from_file(settings: Settings, version: str) -> Any:
    folders = [settings.app_root, *([settings.entry_script.parent] if settings.entry_script else [])]
    for path in (folder / name for folder in dict.fromkeys(folders) for name in _FILES[version]):
        if path.is_file():
            try:
                return json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                logs.say(f"{path} is not JSON and is left out: {error}")
    return None


def _operations(settings: Settings, ok: Any, error: Any) -> dict[str, Any]:
    """What both kinds of documents say of the three routes; `ok` and `error` make their answers."""
    prefix = f"/{settings.service_path_prefix}" if settings.service_path_prefix else ""
    return {
        f"{prefix}/": {
            "get": {
                "operationId": "ServiceHealthCheck",
                "description": "Simple health check endpoint to ensure the service is up at any given point.",
                "responses": {"200": ok(_HEALTHY, {"type": "string", "example": "Healthy"}, "text/plain")} | error,
            }
        },
        f"{prefix}/score": {
            "post": {
                "operationId": "RunMLService",
                "description": "Run web service's model and get the prediction output",
                "security": [{"Bearer": []}],
                "responses": {"200": ok(_SCORED, "ServiceOutput", "application/json")} | error,
            }
        },
        f"{prefix}/swagger.json": {
            "get": {
                "operationId": "GetSwaggerSpec",
                "description": "Get the Swagger specification.",
                "responses": {"200": ok("The Swagger specification.", {"type": "string"}, "text/plain")} | error,
            }
        },
    }


def _head(settings: Settings) -> dict[str, Any]:
    return {
        "info": {
            "title": settings.service_name,
            "description": f"API specification for the Azure Machine Learning service {settings.service_name}",
            "version": settings.service_version,
        }
    }


_BEARER = {"type": "apiKey", "name": "Authorization", "in": "header", "description": "For example: Bearer abc123"}
_ERROR_SCHEMA = {"type": "object", "properties": {"message": {"type": "string"}}}


def _swagger2(settings: Settings, given: Any, returned: Any) -> dict[str, Any]:
    def answer(description: str, schema: Any, _media_type: str) -> dict[str, Any]:
        if isinstance(schema, str):
            return {"description": description, "schema": {"$ref": f"#/definitions/{schema}"}}
        answers = {"description": description, "schema": {"type": schema["type"]}}
        return answers | ({"examples": {"application/json": schema["example"]}} if "example" in schema else {})

    paths = _operations(settings, answer, {"default": answer(_FAILED, "ErrorResponse", "")})
    _, score, swagger = paths.values()
    score["post"]["parameters"] = [
        {
            "name": "serviceInputPayload",
            "in": "body",
            "description": "The input payload for executing the real-time machine learning service.",
            "schema": {"$ref": "#/definitions/ServiceInput"},
        }
    ]
    swagger["get"]["parameters"] = [
        {"name": "version", "in": "query", "required": False, "type": "string", "enum": list(_VERSIONS)}
    ]
    return {
        "swagger": "2.0",
        **_head(settings),
        "schemes": ["https"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {"Bearer": _BEARER},
        "paths": paths,
        "definitions": {"ServiceInput": given, "ServiceOutput": returned, "ErrorResponse": _ERROR_SCHEMA},
    }


def _openapi3(settings: Settings, given: Any, returned: Any, version: str) -> dict[str, Any]:
    def answer(description: str, schema: Any, media_type: str) -> dict[str, Any]:
        shown = {"$ref": f"#/components/schemas/{schema}"} if isinstance(schema, str) else schema
        return {"description": description, "content": {media_type: {"schema": shown}}}

    paths = _operations(settings, answer, {"default": answer(_FAILED, "ErrorResponse", "application/json")})
    _, score, swagger = paths.values()
    score["post"]["requestBody"] = {
        "description": "The input payload for executing the real-time machine learning service.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ServiceInput"}}},
    }
    swagger["get"]["parameters"] = [
        {
            "name": "version",
            "in": "query",
            "required": False,
            "schema": {"type": "string", "enum": list(_VERSIONS)},
        }
    ]
    return {
        "openapi": "3.1.0" if version == "3.1" else "3.0.3",
        **_head(settings),
        "security": [{"Bearer": []}],
        "paths": paths,
        "components": {
            "schemas": {"ServiceInput": given, "ServiceOutput": returned, "ErrorResponse": _ERROR_SCHEMA},
            "securitySchemes": {"Bearer": _BEARER},
        },
    }
