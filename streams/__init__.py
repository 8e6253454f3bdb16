"""The district machine and the Faust agents around it."""
