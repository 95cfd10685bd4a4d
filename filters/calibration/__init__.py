"""Thresholds of similarities, which hold for one encoder each: those that are known (`known`), and
how one is measured (`measure`)."""

from filters.calibration.known import Thresholds, how_to_calibrate, thresholds_of

__all__ = ["Thresholds", "how_to_calibrate", "thresholds_of"]
