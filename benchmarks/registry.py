"""The benchmarks there are. A new one is a function in a file here and its name in this table."""

_NAMES = {
    "bench_command": ("cli_help_seconds",),
    "bench_guarantees": ("paper_guarantees",),
    "bench_pictures": ("colour_profiles", "decoding"),
    "bench_panel": ("leaves_panel", "solar_panel", "unfamiliar_leaves", "diagnosis_seconds", "second_look_seconds"),
    "bench_draws": ("leaves_draws",),
    "bench_subjects": ("leaves_subjects",),
    "bench_catalogue": ("catalogue_replay", "catalogue_leaves", "catalogue_solar"),
    "bench_solar": ("solar_splits",),
    "bench_priors": ("priors",),
    "bench_divisions": ("divisions",),
    "bench_few_shot": ("few_shot",),
    "bench_paper": ("paper_replay",),
    "bench_wire": ("wire_rate_limited", "wire_concurrency_capped", "wire_unlimited"),
    "bench_replies": ("replies",),
    "bench_ood": ("ood_near", "ood_far"),
    "bench_layouts": ("layouts",),
    "bench_near_copies": ("near_copies",),
    "bench_labels": ("label_errors", "prevalence"),
    "bench_look_alikes": ("label_look_alikes",),
    "bench_batches": ("batches",),
    "bench_archive": ("archive",),
    "bench_evaluate": ("batch_overhead", "batch_waiting", "batch_memory"),
    "bench_throughput": ("batch_throughput", "batch_throughput_clip"),
    "bench_report": ("report",),
    "bench_stress": ("stress",),
    "bench_sweep": ("sweep",),
    "bench_web": ("web_seconds", "web_at_once"),
    "bench_safety": ("shared_panels", "hostile_panel", "killed_fits", "full_disks"),
    "bench_web_hostile": ("web_hostile",),
    "bench_attribution": ("attribution_faithfulness", "attribution_seconds"),
    "bench_first_hour": ("readme", "first_verdict", "first_faults"),
    "bench_structure": ("structure", "quick_suite_seconds"),
}

BENCHMARKS = {name: f"benchmarks.{module}:{name}" for module, names in _NAMES.items() for name in names}
"""Where the function of each name is, as ``module:function``."""
