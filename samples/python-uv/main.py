from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from pings import Pings

pings = Pings()


async def healthz(request):
    return JSONResponse({"status": "ok"})


async def ping(request):
    return JSONResponse({"name": request.path_params["name"], "count": pings.count(request.path_params["name"])})


app = Starlette(routes=[Route("/healthz", healthz), Route("/ping/{name}", ping)])
