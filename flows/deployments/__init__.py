"""What runs on a Prefect server by itself: deployments, their work pools and automations.

`infra/prefect.yaml` names the same deployments for `prefect deploy` in a checkout.
"""
