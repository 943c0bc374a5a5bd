"""The audit log for people, and what is held about a person. What is written to it, the catalog writes."""

from kaynak.auditing.anchors import Anchors
from kaynak.auditing.lines import event_of, line_of, shown
from kaynak.auditing.log import AuditLog
from kaynak.auditing.rights import Rights, as_json
from kaynak.auditing.segments import SegmentFiles
from kaynak.auditing.verifying import verify_file

__all__ = ["Anchors", "AuditLog", "Rights", "SegmentFiles", "as_json", "event_of", "line_of", "shown", "verify_file"]
