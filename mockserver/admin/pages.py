"""The page at ``/__admin/``, this interface's own document, and Swagger UI; nothing comes from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import flask
import yaml

from mockserver import __version__, default
from mockserver.admin.exchange import said, segment
from mockserver.admin.faults import ControlError

_ASSETS = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_INITIALIZER = "initializer.js"
_SCRIPT = """\
window.ui = SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true,
  queryConfigEnabled: false, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
_DOCS = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>mockserver: control interface</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/initializer.js"></script>
</html>
"""
_SHARED = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
)


class Pages:
    """What a person looks at."""

    def page(self) -> flask.Response:
        text, policy = _page()
        return _html(text, policy)

    def version(self) -> flask.Response:
        return said({"version": __version__})

    def document(self) -> flask.Response:
        return said(document())

    def docs(self) -> flask.Response:
        return _html(_DOCS, f"{_SHARED}; script-src 'self'; style-src 'self' 'unsafe-inline'")

    def asset(self, asset: str) -> flask.Response:
        name = segment(asset)
        if name == _INITIALIZER:
            return flask.Response(_SCRIPT, content_type="text/javascript; charset=utf-8")
        if name not in _ASSETS:
            raise ControlError(404, f"there is no {name[:200]!r} here")
        return flask.Response(_asset(name), content_type=_ASSETS[name])


def _html(text: str, policy: str) -> flask.Response:
    answer = flask.Response(text, content_type="text/html; charset=utf-8")
    answer.headers["Content-Security-Policy"] = policy
    answer.headers["Cache-Control"] = "no-store"
    return answer


@cache
def _page() -> tuple[str, str]:
    """The page, and a policy under which its own script and style run and no other."""
    text = files("mockserver.admin").joinpath("page.html").read_text("utf-8")
    hashes = {}
    for tag in ("script", "style"):
        [inner] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        hashes[tag] = f"'sha256-{digest}'"
    return text, f"{_SHARED}; script-src {hashes['script']}; style-src {hashes['style']}"


@cache
def document() -> Any:
    """This interface's own document."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(default.ADMIN_DOCUMENT.read_text("utf-8"), loader)  # noqa: S506 - safe, and in C


@cache
def _asset(name: str) -> bytes:
    """A file of Swagger UI's distribution."""
    vendor = files("swagger_ui_bundle").joinpath("vendor")
    [distribution] = [each for each in vendor.iterdir() if each.name.startswith("swagger-ui-")]
    return Path(str(distribution), name).read_bytes()
