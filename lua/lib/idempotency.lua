--- Which execution an idempotency key names, for as long as its window lasts: `<end in ms> <id>`.
local clock = require("clock")
local keys = require("keys")
local number = require("number")
local record = require("record")
local reply = require("reply")

local idempotency = {}

--- What a submission under a key is answered because of the execution that holds the key, or nil
--- when it may be stored. `on_terminal` decides once that execution has ended or is gone.
function idempotency.check(partition, key, id, on_terminal, now)
  local ends_at, holder = string.match(redis.call("GET", key) or "", "^(%d+) (%x+)$")
  if not holder or tonumber(ends_at) <= now then
    return nil
  elseif holder == id then
    return reply.ok("new")
  end
  local state = string.match(redis.call("HGET", keys.execution(partition, holder), "r") or "", "^%l+")
  local ended = not state or record.TERMINAL[state]
  if ended and on_terminal == "reject" then
    return reply.err("IDEMPOTENCY_KEY", holder)
  elseif ended and on_terminal == "reuse" then
    return nil
  end
  return reply.ok("existing", holder)
end

--- Lets a key name an execution for its window.
function idempotency.take(partition, key, id, now, window)
  local ends_at = number.later(now, window)
  clock.set_until(partition, key, number.text(ends_at) .. " " .. id, ends_at)
end

return idempotency
