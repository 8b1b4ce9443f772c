from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView

from tests.project.shop import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("register/", views.register),
    path("checkout/", views.checkout),
    path("stock/", views.Stock.as_view()),
    path("schema/", SpectacularJSONAPIView.as_view(permission_classes=[], throttle_classes=[])),
    path("api/", include("tasks_api.urls")),
]
