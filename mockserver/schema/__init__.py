"""JSON Schema in the document's own dialect: Draft 4 for 2.0 and 3.0, 2020-12 for 3.1 and 3.2."""

from mockserver.schema.closure import Direction
from mockserver.schema.errors import SchemaError
from mockserver.schema.schemas import Schemas
from mockserver.schema.validator import MAX_VIOLATIONS, SchemaViolation, Validator

__all__ = ["MAX_VIOLATIONS", "Direction", "SchemaError", "SchemaViolation", "Schemas", "Validator"]
