"""Times by the database's clock, which all machines share."""

from datetime import timedelta

from django.db import models
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now


def ago(seconds: float) -> CombinedExpression:
    return Now() - models.Value(timedelta(seconds=seconds))
