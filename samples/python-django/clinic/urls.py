from django.urls import path

from appointments import views

urlpatterns = [path("", views.index), path("healthz", views.healthz)]
