"""The server's gRPC, REST and web front ends."""
