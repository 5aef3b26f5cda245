package gateway // bad
