"""Events in: what apps report, judged one by one, and durable before it is acknowledged."""
