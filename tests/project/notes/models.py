from django.db import models


class Note(models.Model):
    task = models.CharField(max_length=64, primary_key=True)
    text = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.text
