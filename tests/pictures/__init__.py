"""Pictures of the dashboards, drawn from what Prometheus answers: `make pictures`."""
