--- A clock that stands still unless a test moves it, in place of `lib/clock.lua`.
---
--- The present is a key of the partition; what ends by itself is kept in a sorted set by its end,
--- because the server's own expiry follows the wall clock.
local number = require("number")

local clock = {}

--- Milliseconds since the Unix epoch, as the test has set them.
function clock.now_ms(partition)
  return tonumber(redis.call("GET", partition .. "clock"))
end

--- Stores a text that is gone at the first purge from `ends_at` on.
function clock.set_until(partition, key, value, ends_at)
  redis.call("SET", key, value)
  clock.end_at(partition, key, ends_at)
end

--- Lets a key be gone at the first purge from `ends_at` on.
function clock.end_at(partition, key, ends_at)
  redis.call("ZADD", partition .. "ending", number.text(ends_at), key)
end

--- Removes what has ended.
function clock.purge(partition, now)
  local ending = partition .. "ending"
  local over = redis.call("ZRANGE", ending, "-inf", number.text(now), "BYSCORE", "LIMIT", 0, 1000)
  for _, key in ipairs(over) do
    redis.call("DEL", key)
    redis.call("ZREM", ending, key)
  end
end

return clock
