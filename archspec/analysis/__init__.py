"""What an architecture costs: parameters, FLOPs, bytes, time, money; read from the graph, without torch."""
