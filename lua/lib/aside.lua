--- Keys that are over their limits: aside until a lease of theirs ends, or their rate has room.
local keyed = require("keyed")
local keys = require("keys")
local lanes = require("lanes")
local number = require("number")

local aside = {}

--- Most rings that a key is put back into in one call.
local RINGS_MAX = 1024

--- Sets a key aside in a ring. `barrier` is `f`, or a time.
function aside.put(ln, ring, key, barrier)
  keyed.leave(ring, key)
  local parked = keys.aside(ln.partition, ln.lane)
  redis.call("ZADD", parked, barrier == "f" and "+inf" or number.text(barrier), key)
  local entry = ring.kind .. ring.class .. (ring.tag and "\t" .. ring.tag or "")
  redis.call("SADD", keys.aside_of(ln.partition, ln.lane, key), entry)
  if barrier ~= "f" then
    lanes.look_by(ln, barrier)
  end
end

--- Lets a key take turns again where it has something ready.
function aside.put_back(partition, name, key)
  redis.call("ZREM", keys.aside(partition, name), key)
  local rings = keys.aside_of(partition, name, key)
  for _, entry in ipairs(redis.call("SPOP", rings, RINGS_MAX)) do
    local class, tag = string.match(entry, "^.([^\t]*)\t?(.*)$")
    local ring = keyed.ring(partition, name, string.sub(entry, 1, 1), class, tag ~= "" and tag or nil)
    if redis.call("EXISTS", keyed.queue(ring, key)) == 1 then
      keyed.join(ring, key)
    end
  end
end

--- Puts a key back that waits for a lease to end.
function aside.lease_ended(partition, name, key)
  local until_when = redis.call("ZSCORE", keys.aside(partition, name), key)
  if until_when == "inf" then
    aside.put_back(partition, name, key)
  end
end

--- Puts back, of the keys that are due or of all, at most `most`. Answers whether there are more of these, and
--- when others are due.
function aside.put_back_due(ln, all, most, now)
  local parked = keys.aside(ln.partition, ln.lane)
  local latest = all and "+inf" or number.text(now)
  local due = redis.call("ZRANGE", parked, "-inf", latest, "BYSCORE", "LIMIT", 0, most + 1)
  for at = 1, math.min(#due, most) do
    aside.put_back(ln.partition, ln.lane, due[at])
  end
  local later = redis.call("ZRANGE", parked, 0, 0, "WITHSCORES")[2]
  return #due > most, later ~= "inf" and later or nil
end

return aside
