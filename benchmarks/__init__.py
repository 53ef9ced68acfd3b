"""How fast queuectl is: beside what the operating system can do, and beside its peers."""
