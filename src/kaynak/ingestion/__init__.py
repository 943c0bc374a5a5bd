"""From uploads to searchable documents, and documents after that."""

from kaynak.ingestion.deleting import Deleting
from kaynak.ingestion.documents import Documents, Update
from kaynak.ingestion.intake import Intake
from kaynak.ingestion.language import detect_language
from kaynak.ingestion.pipeline import Pipeline
from kaynak.ingestion.progress import JobStopped
from kaynak.ingestion.storing import Storing
from kaynak.ingestion.uploads import Submission, Upload

__all__ = [
    "Deleting",
    "Documents",
    "Intake",
    "JobStopped",
    "Pipeline",
    "Storing",
    "Submission",
    "Update",
    "Upload",
    "detect_language",
]
