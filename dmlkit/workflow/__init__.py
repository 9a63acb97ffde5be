"""A job as named stages: declared in a file, run on a cluster, resumed after a failure."""

from dmlkit.workflow.configuration import (
    Settings,
    load_cluster,
    load_configuration,
    setting_defaults,
)
from dmlkit.workflow.engine import run_workflow
from dmlkit.workflow.job import BUNDLE, TABLE, Keep, Workflow, find_workflow, workflow_entries
from dmlkit.workflow.manifest import write_json
from dmlkit.workflow.plan import StagePlan, WorkflowPlan
from dmlkit.workflow.run import Result, Run

__all__ = [
    "BUNDLE",
    "TABLE",
    "Keep",
    "Result",
    "Run",
    "Settings",
    "StagePlan",
    "Workflow",
    "WorkflowPlan",
    "find_workflow",
    "load_cluster",
    "load_configuration",
    "run_workflow",
    "setting_defaults",
    "workflow_entries",
    "write_json",
]
