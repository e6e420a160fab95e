"""What the cluster tests and scripts/chaos share: processes, proxies, clients, histories, checker."""
