"""The proof of `as of`: a history of edits with its own truth, asked at every date between them."""
