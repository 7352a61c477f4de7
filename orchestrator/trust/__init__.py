"""The record of each agent on calibration cases, and whether it still holds."""
