"""The OpenAPI document, built from the operations of the views and the signatures of the tasks."""
