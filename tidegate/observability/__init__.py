"""What Prometheus and Grafana make of the scoring servers' metrics: alert rules, a dashboard, and who scrapes what."""
