"""For tests: a scripted provider, an event loop with virtual time, and the contract kit."""
