"""The interface described: the OpenAPI document, and Swagger UI to read and try it, all served by us."""

import functools
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from flask import Blueprint, Response, current_app, request

from voxgate.gate.errors import Refusal
from voxgate.web.current import services
from voxgate.web.door import gate
from voxgate.web.operations import OPERATIONS, ROOT_OPERATIONS
from voxgate.web.problems import refuse

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MAX_AGE_S = 3600

_PAGES = files("voxgate.web") / "pages"
_SWAGGER = files("flask_openapi3_swagger") / "templates" / "swagger"
_ASSETS: dict[str, tuple[Traversable, str]] = {
    "start.js": (_PAGES / "start.js", "text/javascript"),
    "docs.css": (_PAGES / "docs.css", "text/css"),
    "swagger-ui.css": (_SWAGGER / "css" / "swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": (_SWAGGER / "js" / "swagger-ui-bundle.js", "text/javascript"),
    "swagger.svg": (_SWAGGER / "images" / "swagger.svg", "image/svg+xml"),
}

blueprint = Blueprint("docs", __name__)


@blueprint.get("/")
@gate.exempt
def show_the_way() -> Response:
    """Send whoever opens the bare address in a browser to the page."""
    answer = Response(status=302, headers={"Location": "/docs"})
    del answer.headers["Content-Type"]  # there is no body
    return answer


@blueprint.get("/openapi.json")
@gate.exempt
def show_document() -> Response:
    """Send the OpenAPI document of what this service serves."""
    document = document_for(has_root_routes=services().settings.root_routes)
    return Response(current_app.json.dumps(document), mimetype="application/json")


@blueprint.get("/docs")
@gate.exempt
def show_page() -> Response:
    """Send the page that shows the document."""
    page = Response((_PAGES / "docs.html").read_bytes(), mimetype="text/html")
    page.headers["Content-Security-Policy"] = PAGE_POLICY
    page.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return page


@blueprint.get("/docs/assets/<name>")
@gate.exempt
def send_asset(name: str) -> Response:
    """Send one of the page's files; only names of the table lead to a file."""
    if name not in _ASSETS:
        return refuse(Refusal("NOT_FOUND"))
    file, media_type = _ASSETS[name]
    asset = Response(file.read_bytes(), mimetype=media_type)
    asset.cache_control.public = True
    asset.cache_control.max_age = MAX_AGE_S
    asset.add_etag()
    asset.make_conditional(request)
    return asset


@functools.cache
def document_for(*, has_root_routes: bool) -> dict[str, Any]:
    """Return the OpenAPI document, built once."""
    from voxgate.web.openapi import build_document  # noqa: PLC0415 -- a quarter of a second that few processes need

    return build_document((*OPERATIONS, *(ROOT_OPERATIONS if has_root_routes else ())))
