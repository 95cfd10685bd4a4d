"""Trains the quality filter anew and prints its AUC, overall, per breakage and per task.

python infra/bench/quality.py
"""

from filters.quality import train as retrain

if __name__ == "__main__":
    print(retrain.describe_metrics(retrain.retrain()))
