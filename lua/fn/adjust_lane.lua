--- Changes the state of a lane, its settings, or both.
---
--- @arg lane     text
--- @arg request  bytes  16 bytes of request id
--- @arg state    text   `a` active, `p` paused, `d` draining; or empty to keep it
--- @arg settings text   the rest of the text of its settings, see `lanes`; or empty to keep them
--- @arg weights  bytes  pairs of key and weight, packed; of new settings
--- @ok adjusted flag
local aside = require("aside")
local clock = require("clock")
local keys = require("keys")
local lanes = require("lanes")
local operator = require("operator")
local packed = require("packed")
local record = require("record")
local reply = require("reply")

local OWN = { adjusted = true }
local NONE = "a - - - - - - - - - - -"

--- A lane in hand with all that is known of its requests.
local function load(partition, name, text)
  local ln = lanes.open(partition, name, text)
  local run = keys.lane_run(partition, name)
  for _, field in ipairs({ "on", "o0", "o1", "o2", "o3", "o4", "o5", "o6", "o7" }) do
    ln.f[field] = redis.call("HGET", run, field) or nil
  end
  return ln
end

--- Replaces the weights of the keys. Answers what is remembered of whether there are any.
local function weigh(partition, name, weights)
  local key, values = keys.lane_weights(partition, name), packed.read(weights)
  redis.call("DEL", key)
  if #values > 0 then
    redis.call("HSET", key, unpack(values))
  end
  return #values > 0 and "1" or nil
end

return function(partition, name, request, state, settings, weights)
  local now = clock.now_ms(partition)
  local key = keys.lane_settings(partition, name)
  local before = redis.call("GET", key)
  local ln = load(partition, name, before or NONE)
  if operator.done_by(ln, request, OWN) then
    return reply.ok("0")
  end
  local was, rest = string.match(before or NONE, "^(%l) (.*)$")
  if not before then
    redis.call("ZADD", keys.steered_lanes(partition), 0, name)
    record.set_number(ln, "l", (ln.f.l or 0) + lanes.STEERED)
  end
  redis.call("SET", key, (state ~= "" and state or was) .. " " .. (settings ~= "" and settings or rest))
  if settings ~= "" then
    record.set(ln, "wt", weigh(partition, name, weights))
    if not lanes.settings("a " .. settings).key_rate then
      redis.call("DEL", keys.key_arrivals(partition, name))
    end
  end
  operator.remember(ln, request, "adjusted")
  aside.doubt(partition, name)
  record.set_number(ln, "la", now)
  lanes.save(ln, now)
  return reply.ok("1")
end
