"""Arrays in, arrays out: sizes, colours and sheets of pictures."""
