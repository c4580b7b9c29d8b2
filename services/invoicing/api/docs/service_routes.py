"""Health checks, the OpenAPI document, and the page that shows it."""

from pathlib import Path
from typing import Final

import fastapi_offline
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import FileResponse, HTMLResponse, Response

from invoicing.api.http.bodies import Body
from invoicing.api.http.routing import DirectRoute
from invoicing.api.reads.answers import json_response

_ASSETS: Final = Path(fastapi_offline.__file__).parent / "static"
_SCRIPT: Final = "swagger-ui-bundle.js"
_STYLE: Final = "swagger-ui.css"
_ASSET_CACHE: Final = {"Cache-Control": "public, max-age=86400"}

_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Invoicing</title>
<link rel="stylesheet" href="/docs/{_STYLE}">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/{_SCRIPT}"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START: Final = """
SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", validatorUrl: null});
"""
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)

router = APIRouter(route_class=DirectRoute, tags=["Service"])


class Health(Body):
    """Health of the process and its dependencies."""

    ok: bool = Field(description="Whether all checks pass.")
    checks: dict[str, bool] = Field(description="The result of each check.")


@router.get("/health/live", response_model=Health)
async def get_liveness() -> Response:
    """Liveness: restart the process if this does not respond."""
    return json_response({"ok": True, "checks": {}})


@router.get("/health/ready", response_model=Health, responses={503: {"model": Health}})
async def get_readiness(request: Request) -> Response:
    """Readiness: whether Kafka and Postgres respond."""
    checks = {name: probe.is_up for name, probe in request.app.state.probes.items()}
    is_ready = all(checks.values())
    return json_response({"ok": is_ready, "checks": checks}, 200 if is_ready else 503)


@router.get("/openapi.json", include_in_schema=False)
async def get_openapi(request: Request) -> Response:
    """The OpenAPI document of this API."""
    return json_response(request.app.state.openapi(), headers=_ASSET_CACHE)


@router.get("/docs", include_in_schema=False)
async def get_docs() -> Response:
    """Swagger UI, served without external resources."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _PAGE_POLICY})


@router.get(f"/docs/{_SCRIPT}", include_in_schema=False)
async def get_script() -> Response:
    """Swagger UI's script."""
    return FileResponse(_ASSETS / _SCRIPT, headers=_ASSET_CACHE)


@router.get(f"/docs/{_STYLE}", include_in_schema=False)
async def get_style() -> Response:
    """Swagger UI's style sheet."""
    return FileResponse(_ASSETS / _STYLE, headers=_ASSET_CACHE)


@router.get("/docs/start.js", include_in_schema=False)
async def get_start() -> Response:
    """The page's script, apart from it so that the policy need not allow inline scripts."""
    return Response(_START, media_type="text/javascript", headers=_ASSET_CACHE)
