--- The present and what ends by itself: the only module that reads the server's time.
---
--- `testing/clock.lua` has the same functions over a clock that a test moves.
local number = require("number")

local clock = {}

--- Milliseconds since the Unix epoch. Frozen within one call.
function clock.now_ms(_)
  local now = redis.call("TIME")
  local ms = now[1] * 1000 + now[2] / 1000
  return ms - ms % 1
end

--- Stores a text that is gone from `ends_at` on.
function clock.set_until(_, key, value, ends_at)
  redis.call("SET", key, value, "PXAT", number.text(ends_at))
end

--- Lets a key be gone from `ends_at` on.
function clock.end_at(_, key, ends_at)
  redis.call("PEXPIREAT", key, number.text(ends_at))
end

--- Removes what has ended. The server does that by itself.
function clock.purge(_, _) end

return clock
