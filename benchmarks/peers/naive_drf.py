"""Django REST framework in front of django-tasks-db, without authentication."""

from django.core.wsgi import get_wsgi_application
from django.tasks import task, task_backends
from django.tasks.exceptions import TaskResultDoesNotExist
from django.urls import path
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

application = get_wsgi_application()


@task
def say_hello(name: str) -> str:
    return f"Hello, {name}!"


class Greeting(serializers.Serializer):
    name = serializers.CharField()


class Tasks(APIView):
    def post(self, request: Request) -> Response:
        greeting = Greeting(data=request.data)
        greeting.is_valid(raise_exception=True)
        result = say_hello.enqueue(**greeting.validated_data)
        return Response({"id": result.id, "status": result.status}, status=202)


class OneTask(APIView):
    def get(self, request: Request, id: str) -> Response:
        try:
            result = task_backends["default"].get_result(id)
        except TaskResultDoesNotExist:
            raise NotFound from None
        value = result.return_value if result.is_finished else None
        return Response({"id": result.id, "status": result.status, "result": value})


urlpatterns = [path("tasks/", Tasks.as_view()), path("tasks/<uuid:id>/", OneTask.as_view())]
