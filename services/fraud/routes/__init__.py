"""The HTTP API of fraud, a module for each noun. `services.fraud.api` is its table of contents."""
