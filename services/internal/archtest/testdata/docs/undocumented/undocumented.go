package undocumented // bad
