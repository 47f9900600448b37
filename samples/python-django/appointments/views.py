from django.http import JsonResponse
from django.shortcuts import render

HOURS = ["9:00", "10:30", "14:00"]


def healthz(request):
    return JsonResponse({"status": "ok"})


def index(request):
    return render(request, "appointments/index.html", {"hours": HOURS})
