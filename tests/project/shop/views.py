from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.project.shop.models import Order
from tests.project.shop.tasks import process_order, send_welcome_email


class CardDeclined(Exception):
    """The bank says no."""


def register(request: HttpRequest) -> HttpResponse:
    """Create a customer, enqueue a welcome, and say which task that is."""
    if request.method != "POST":
        return render(request, "register.html")
    customer = get_user_model().objects.create_user(
        username=request.POST["username"], email=request.POST["email"]
    )
    result = send_welcome_email.enqueue(customer.pk)
    if request.POST["username"] == "nobody":
        raise CardDeclined
    return JsonResponse({"customer": customer.pk, "task": result.id})


def checkout(request: HttpRequest) -> HttpResponse:
    """Store an order, and enqueue its processing when it is stored for good."""
    with transaction.atomic():
        order = Order.objects.create(item=request.POST["item"])
        transaction.on_commit(partial(process_order.enqueue, order.pk))
        if request.POST["card"] == "declined":
            raise CardDeclined
    return JsonResponse({"order": order.pk})


class Stock(APIView):
    """A DRF view of the project's own, with the project's own defaults."""

    def get(self, request: Request) -> Response:
        return Response({"loaves": 7})


def exception_handler(exception: Exception, context: dict[str, Any]) -> HttpResponse:
    return JsonResponse({"laden": type(exception).__name__}, status=418)
