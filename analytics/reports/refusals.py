"""Why there is no report of what was asked."""

from config.problems import Problem


class ReportImpossible(Problem):
    code = "report_impossible"
    title = "Each of these parameters is fine, and together they make no report"
