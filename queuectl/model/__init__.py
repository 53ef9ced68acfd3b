"""What the words of queuectl mean: frozen data and enums, nothing that acts."""
