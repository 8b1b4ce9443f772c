from django.contrib.auth.models import AbstractUser
from django.db import models


class Customer(AbstractUser):
    """The project's own user."""

    points = models.PositiveIntegerField(default=0)


class Order(models.Model):
    """What somebody bought."""

    item = models.CharField(max_length=100)
    is_paid = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.item
