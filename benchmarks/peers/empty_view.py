"""A view of Django REST framework that touches nothing, in place of the service's URLs."""

from django.conf import settings
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from service.wsgi import application

__all__ = ["application"]

# The middlewares and all else stay the service's.
settings.ROOT_URLCONF = __name__


class Empty(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [path("empty/", Empty.as_view())]
