"""JSON Schema in the document's own dialect: Draft 4 for 2.0 and 3.0, 2020-12 for 3.1 and 3.2."""

from mockserver.jsonschema.bundler import Direction
from mockserver.jsonschema.references import SchemaError
from mockserver.jsonschema.schemas import Schemas
from mockserver.jsonschema.validator import MAX_VIOLATIONS, Validator

__all__ = ["MAX_VIOLATIONS", "Direction", "SchemaError", "Schemas", "Validator"]
