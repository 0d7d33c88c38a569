--- Everything about a lane, and what one of its keys has used.
---
--- @flags no-writes
--- @arg lane text
--- @arg key  text  or empty
--- @ok now        time
--- @ok settings   text  see `lanes`; empty when it was never steered
--- @ok weights    list  pairs of key and weight
--- @ok arrival    text  when the next claim is due at the full rate, in us, or empty
--- @ok claimed    int
--- @ok leases     int
--- @ok tokens     int
--- @ok ready      int
--- @ok oldest     text  since when the longest waiting of these is ready, or empty
--- @ok aside      int   how many keys wait for their limits
--- @ok key_held   int   leases and tokens of the key
--- @ok key_arrival text
local aside = require("aside")
local clock = require("clock")
local depth = require("depth")
local keys = require("keys")
local lanes = require("lanes")
local number = require("number")
local reply = require("reply")

return function(partition, name, key)
  local text = redis.call("GET", keys.lane_settings(partition, name)) or ""
  local ln = text ~= "" and lanes.open(partition, name, text)
  local leases, tokens = lanes.held(partition, name)
  local key_held, arrival = 0, nil
  if key ~= "" then
    key_held = lanes.held_by_key(partition, name, key)
    arrival = redis.call("ZSCORE", keys.key_arrivals(partition, name), key)
  end
  local weights = ln and redis.call("HGETALL", keys.lane_weights(partition, name)) or {}
  return reply.ok(
    clock.now_ms(partition), text, weights, ln and ln.f.ta or "", tonumber(ln and ln.f.cl or "0"), leases, tokens,
    depth.ready(partition, name), depth.oldest(partition, name) or "", aside.count(partition, name),
    key_held, arrival and number.text(tonumber(arrival)) or "")
end
