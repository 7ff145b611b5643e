"""What makes architectures good: effects of single options, and rules for a set of them."""
