"""The benchmarks there are. A new one is a function in a file here and a row in this table."""

from doubleread.core.registry import Registry

BENCHMARKS = Registry(
    "benchmark",
    "doubleread.benchmarks",
    {
        "cli_help_seconds": "doubleread.evals.benchmarks.command:cli_help_seconds",
        "paper_guarantees": "doubleread.evals.benchmarks.guarantees:paper_guarantees",
        "leaves_panel": "doubleread.evals.benchmarks.panel:leaves_panel",
        "solar_panel": "doubleread.evals.benchmarks.panel:solar_panel",
        "leaves_draws": "doubleread.evals.benchmarks.draws:leaves_draws",
        "catalogue_replay": "doubleread.evals.benchmarks.catalogue:catalogue_replay",
        "catalogue_leaves": "doubleread.evals.benchmarks.catalogue:catalogue_leaves",
        "catalogue_solar": "doubleread.evals.benchmarks.catalogue:catalogue_solar",
        "solar_splits": "doubleread.evals.benchmarks.panel:solar_splits",
        "diagnosis_seconds": "doubleread.evals.benchmarks.panel:diagnosis_seconds",
        "paper_replay": "doubleread.evals.benchmarks.paper:paper_replay",
        "wire_rate_limited": "doubleread.evals.benchmarks.wire:wire_rate_limited",
        "wire_concurrency_capped": "doubleread.evals.benchmarks.wire:wire_concurrency_capped",
        "wire_unlimited": "doubleread.evals.benchmarks.wire:wire_unlimited",
        "ood_near": "doubleread.evals.benchmarks.ood:ood_near",
        "ood_far": "doubleread.evals.benchmarks.ood:ood_far",
        "archive": "doubleread.evals.benchmarks.archive:archive",
        "batch_overhead": "doubleread.evals.benchmarks.evaluate:batch_overhead",
        "batch_throughput": "doubleread.evals.benchmarks.throughput:batch_throughput",
        "batch_throughput_clip": "doubleread.evals.benchmarks.throughput:batch_throughput_clip",
        "batch_waiting": "doubleread.evals.benchmarks.evaluate:batch_waiting",
        "batch_memory": "doubleread.evals.benchmarks.evaluate:batch_memory",
        "report": "doubleread.evals.benchmarks.report:report",
        "sweep": "doubleread.evals.benchmarks.sweep:sweep",
        "web_seconds": "doubleread.evals.benchmarks.web:web_seconds",
        "web_at_once": "doubleread.evals.benchmarks.web:web_at_once",
        "attribution_faithfulness": "doubleread.evals.benchmarks.attribution:attribution_faithfulness",
        "attribution_seconds": "doubleread.evals.benchmarks.attribution:attribution_seconds",
        "second_look_seconds": "doubleread.evals.benchmarks.panel:second_look_seconds",
    },
)
