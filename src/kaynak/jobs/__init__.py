"""Durable background work on PostgreSQL."""

from kaynak.jobs.queue import enqueue
from kaynak.jobs.running import Running
from kaynak.jobs.service import Jobs
from kaynak.jobs.worker import Worker

__all__ = ["Jobs", "Running", "Worker", "enqueue"]
