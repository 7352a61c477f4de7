"""What a panel learns from the answers about its calibration cases."""
