package onlytests // bad
