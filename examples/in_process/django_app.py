"""A Django project in one file behind the Shield: `python -m in_process.django_app hoplon-state/bundles`."""

import json
import sys
from typing import Any

import uvicorn
from django.conf import settings as django_settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from hoplon.asgi import Shield


async def item(request: HttpRequest, item_id: str) -> JsonResponse:
    return JsonResponse({"item": item_id})


@csrf_exempt  # type: ignore[untyped-decorator]
@require_POST  # type: ignore[untyped-decorator]
def add(request: HttpRequest) -> JsonResponse:
    return JsonResponse(json.loads(request.body), status=201)


async def debug(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"secret": "configuration"})


urlpatterns = [path("items/<str:item_id>", item), path("items", add), path("debug", debug)]


def make_app(bundles: str, **settings: Any) -> Shield:
    """The project's `asgi.py`: the Shield goes around `get_asgi_application()`."""
    if not django_settings.configured:
        django_settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="only-an-example")
    return Shield(get_asgi_application(), bundles=bundles, **settings)


if __name__ == "__main__":
    uvicorn.run(make_app(sys.argv[1]), port=8000, lifespan="off")
