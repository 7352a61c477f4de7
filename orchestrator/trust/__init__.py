"""Trust profiles on calibration cases, and tests whether they still hold."""
