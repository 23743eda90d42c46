"""What the endpoint for events answers."""

from uuid import UUID

from analytics.intake.verdicts import EventVerdict
from config.bodies import AnswerShape


class BatchAnswer(AnswerShape):
    """The batch is stored. `verdicts` has one for each of its events, in the order of the batch.

    A quarantined event is kept for operators with its `code`, and no report counts it.
    """

    batch_id: UUID
    accepted: int
    quarantined: int
    verdicts: list[EventVerdict]
