"""The product as its users run it, against real MLflow and Prometheus servers."""
