--- Who waits for work: arms, registered by lane.
---
--- A waiting process registers an offer under a number of its own choice, its arm. What becomes
--- ready fires one arm: it is taken off and its process is told on a channel. A process whose
--- channel nobody listens to is gone, and the next one is told instead.
local keys = require("keys")

local arms = {}

local PATTERN = "^(%x+) (%d+) ([fac]) ([^\t]*)\t(.*)$"
--- Most arms that one sweep looks at.
local SWEPT_MAX = 64

--- The text that stands for an arm. `mode` is `f` for fresh work only and `a` for reclaims too.
function arms.member(process, arm, mode, offered, tag)
  return process .. " " .. arm .. " " .. mode .. " " .. offered .. "\t" .. tag
end

--- Registers an arm.
function arms.add(partition, lane, member, now)
  redis.call("ZADD", keys.waiters(partition, lane), now, member)
  redis.call("SADD", keys.waited_lanes(partition), lane)
end

--- Takes an arm off. Answers whether it was there.
function arms.remove(partition, lane, member)
  local key = keys.waiters(partition, lane)
  local removed = redis.call("ZREM", key, member)
  if redis.call("EXISTS", key) == 0 then
    redis.call("SREM", keys.waited_lanes(partition), lane)
  end
  return removed == 1
end

--- An arm from its text: `process`, `arm`, `mode`, `offered` and `tag`. Nil when it is none.
function arms.read(member)
  local process, arm, mode, offered, tag = string.match(member, PATTERN)
  return process and { process = process, arm = arm, mode = mode, offered = offered, tag = tag, member = member }
end

--- Takes an arm off and tells its process of an execution. Answers whether somebody listens there.
function arms.fire(partition, lane, arm, id)
  arms.remove(partition, lane, arm.member)
  return redis.call("SPUBLISH", keys.process(partition, arm.process), "w " .. arm.arm .. " " .. id) > 0
end

--- Whether somebody listens on the channel of a process, which `listening` remembers.
local function listens(partition, process, listening)
  if listening[process] == nil then
    local found = redis.call("PUBSUB", "SHARDNUMSUB", keys.process(partition, process))
    listening[process] = process ~= "" and found[2] > 0
  end
  return listening[process]
end

--- Adds to `found` what those offer who wait for a lane, each offer once.
function arms.offered(partition, lane, most, found)
  local listening, known = {}, { [""] = true }
  for _, member in ipairs(redis.call("ZRANGE", keys.waiters(partition, lane), 0, most - 1)) do
    local arm = arms.read(member)
    if arm and not known[arm.offered] and listens(partition, arm.process, listening) then
      known[arm.offered] = true
      found[#found + 1] = arm.offered
    end
  end
end

--- Takes off arms of a lane whose processes are gone, among some that are chosen at random.
function arms.sweep(partition, lane)
  local listening = {}
  for _, member in ipairs(redis.call("ZRANDMEMBER", keys.waiters(partition, lane), SWEPT_MAX)) do
    local process = string.match(member, PATTERN) or ""
    if not listens(partition, process, listening) then
      arms.remove(partition, lane, member)
    end
  end
end

return arms
