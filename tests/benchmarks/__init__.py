"""Figures as ratios in one run, never timed tests: machines are shared and noisy."""
