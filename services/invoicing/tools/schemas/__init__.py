"""Generates JSON Schemas, AsyncAPI, OpenAPI and the lifecycle page from the models."""
