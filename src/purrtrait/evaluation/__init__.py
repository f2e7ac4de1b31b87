"""What shows how good a training was: its film and its report."""
