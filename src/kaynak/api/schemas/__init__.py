"""The shapes of requests and responses.

Responses mirror the domain's dataclasses field for field; a test compares the two.
"""
