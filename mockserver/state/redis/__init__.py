"""Resource state on Redis or Valkey, shared by workers and replicas."""
