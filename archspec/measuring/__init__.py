"""Real modules on the present machine: predictions compared with what they do, and how fast they do it."""
