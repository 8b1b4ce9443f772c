from django.contrib import admin
from django.urls import include, path

# "View site": for people.
admin.site.site_url = "/docs/"

urlpatterns = [path("admin/", admin.site.urls), path("", include("tasks_api.urls"))]

handler400 = "tasks_api.http.protocol.django_handlers.bad_request"
handler404 = "tasks_api.http.protocol.django_handlers.not_found"
handler500 = "tasks_api.http.protocol.django_handlers.internal_error"
