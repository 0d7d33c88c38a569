-- The functions run in the server's Lua 5.1, where `redis` and `cmsgpack` are globals of its own.
std = "lua51"
read_globals = { "redis", "cmsgpack" }
max_line_length = 120
max_comment_line_length = false
