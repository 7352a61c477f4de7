"""What a panel learns from answers on its calibration cases."""
