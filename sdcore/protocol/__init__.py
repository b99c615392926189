"""Every decision of the protocol, once: state machines, memory layouts, messages, and what prints them as C."""
