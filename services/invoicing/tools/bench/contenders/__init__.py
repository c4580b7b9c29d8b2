"""Who else could do the work, each as a program of its own."""
