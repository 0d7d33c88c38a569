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
  redis.call("ZADD", parked, barrier == "f" and "+inf" or barrier, key)
  redis.call("ZREM", keys.aside_before(ln.partition, ln.lane), key)
  local entry = ring.kind .. ring.class .. (ring.tag and "\t" .. ring.tag or "")
  redis.call("SADD", keys.aside_of(ln.partition, ln.lane, key), entry)
  if barrier ~= "f" then
    lanes.look_by(ln, barrier)
  end
end

--- Whether only time lets an execution of this key, or of none, be handed out: then the lane is looked at by then,
--- and nobody need be woken before.
function aside.waits_for_time(ln, key, now)
  local _, at = lanes.room(ln, now)
  if at or not key or not ln.is.key_rate then
    return at ~= nil
  end
  local until_when = redis.call("ZSCORE", keys.aside(ln.partition, ln.lane), key)
  return until_when and until_when ~= "inf" and until_when - now > 0
end

--- Lets a key take turns again where it has something ready. Answers whether there is more to put back: then the key
--- waits for the next look at the lane.
function aside.put_back(partition, name, key)
  redis.call("ZREM", keys.aside(partition, name), key)
  redis.call("ZREM", keys.aside_before(partition, name), key)
  local rings = keys.aside_of(partition, name, key)
  local entries = redis.call("SPOP", rings, RINGS_MAX)
  for _, entry in ipairs(entries) do
    local class, tag = string.match(entry, "^.([^\t]*)\t?(.*)$")
    local ring = keyed.ring(partition, name, string.sub(entry, 1, 1), class, tag ~= "" and tag or nil)
    if redis.call("EXISTS", keyed.queue(ring, key)) == 1 then
      keyed.join(ring, key)
    end
  end
  local more = #entries == RINGS_MAX and redis.call("EXISTS", rings) == 1
  if more then
    redis.call("ZADD", keys.aside_before(partition, name), 0, key)
  end
  return more
end

--- Puts a key back that waits for a lease to end. Answers whether the lane is to be looked at for the rest.
function aside.lease_ended(partition, name, key)
  local until_when = redis.call("ZSCORE", keys.aside(partition, name), key)
  return until_when == "inf" and aside.put_back(partition, name, key)
end

--- Has all keys that are aside put back: whatever they wait for is not what it was.
function aside.doubt(partition, name)
  local parked, before = keys.aside(partition, name), keys.aside_before(partition, name)
  if redis.call("EXISTS", before) == 1 then
    redis.call("ZUNIONSTORE", before, 2, before, parked)
    redis.call("DEL", parked)
  elseif redis.call("EXISTS", parked) == 1 then
    redis.call("RENAME", parked, before)
  end
end

--- How many keys are aside.
function aside.count(partition, name)
  return redis.call("ZCARD", keys.aside(partition, name)) + redis.call("ZCARD", keys.aside_before(partition, name))
end

--- Puts back, of the keys that the lane was adjusted for and of those that are due, at most `most`. Those that wait
--- for longer than anybody has to are due: the clock has stepped back. Answers whether there are more of these, and
--- when others are due.
function aside.put_back_due(ln, most, now)
  local parked, due = keys.aside(ln.partition, ln.lane), {}
  local function add(key, from, to)
    if #due <= most then
      local some = redis.call("ZRANGE", key, from, to, "BYSCORE", "LIMIT", 0, most + 1 - #due)
      for _, one in ipairs(some) do
        due[#due + 1] = one
      end
    end
  end
  add(keys.aside_before(ln.partition, ln.lane), "-inf", "+inf")
  add(parked, "-inf", number.text(now))
  local horizon = lanes.horizon(ln, now)
  if horizon then
    add(parked, "(" .. number.text(horizon), "(+inf")
  end
  local more = #due > most
  for at = 1, math.min(#due, most) do
    more = aside.put_back(ln.partition, ln.lane, due[at]) or more
  end
  local later = redis.call("ZRANGE", parked, 0, 0, "WITHSCORES")[2]
  return more, later ~= "inf" and later or nil
end

return aside
