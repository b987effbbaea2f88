"""The HTTP API of accounts, a module for each noun. `services.accounts.api` is its table of contents."""
