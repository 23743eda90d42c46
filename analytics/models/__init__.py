from analytics.models.exports import Export, ExportAct, ExportRecord, ExportState
from analytics.models.fraud import AdAlarm, AlarmScope, FraudScan
from analytics.models.history import HistoryImport, HistoryKind, HistoryPart, RefusedLine
from analytics.models.inbox import EventBatch, Flush, QuarantinedEvent
from analytics.models.lake import (
    ErasedViewer,
    FactExport,
    LakeChore,
    LakeFile,
    RepeatCount,
    RepeatedEvent,
)
from analytics.models.rankings import RankingSnapshot
from analytics.models.rollups import (
    ChangedHour,
    CountedFlag,
    FillState,
    PostingsRead,
    RollupCheck,
    RollupDifference,
    RollupHour,
    RollupValue,
)

__all__ = [
    "AdAlarm",
    "AlarmScope",
    "ChangedHour",
    "CountedFlag",
    "ErasedViewer",
    "EventBatch",
    "Export",
    "ExportAct",
    "ExportRecord",
    "ExportState",
    "FactExport",
    "FillState",
    "Flush",
    "FraudScan",
    "HistoryImport",
    "HistoryKind",
    "HistoryPart",
    "LakeChore",
    "LakeFile",
    "PostingsRead",
    "QuarantinedEvent",
    "RankingSnapshot",
    "RefusedLine",
    "RepeatCount",
    "RepeatedEvent",
    "RollupCheck",
    "RollupDifference",
    "RollupHour",
    "RollupValue",
]
