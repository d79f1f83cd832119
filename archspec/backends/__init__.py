"""What a graph is turned into. Each backend is a room of its own and knows no other."""
