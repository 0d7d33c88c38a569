--- Who waits for work, and the calls that wake them.
---
--- A waiting process registers an offer under a number of its own choice, its arm. What becomes
--- ready fires one arm: it is taken off and its process is told on a channel. A process whose
--- channel nobody listens to is gone, and the next one is told instead.
local capabilities = require("capabilities")
local keys = require("keys")
local number = require("number")
local tags = require("tags")

local waiters = {}

local SCANNED_AT_ONCE = 64
--- Most arms of a lane that one wake-up looks at. What would suit one behind them waits for the next
--- maintenance call.
local SCANNED_MAX = 1024
local PATTERN = "^(%x+) (%d+) ([fac]) ([^\t]*)\t(.*)$"

--- The text that stands for an arm. `mode` is `f` for fresh work only and `a` for reclaims too.
function waiters.member(process, arm, mode, offered, tag)
  return process .. " " .. arm .. " " .. mode .. " " .. offered .. "\t" .. tag
end

--- Registers an arm.
function waiters.add(partition, lane, member, now)
  redis.call("ZADD", keys.waiters(partition, lane), number.text(now), member)
  redis.call("SADD", keys.waited_lanes(partition), lane)
end

--- Takes an arm off. Answers whether it was there.
function waiters.remove(partition, lane, member)
  local key = keys.waiters(partition, lane)
  local removed = redis.call("ZREM", key, member)
  if redis.call("EXISTS", key) == 0 then
    redis.call("SREM", keys.waited_lanes(partition), lane)
  end
  return removed == 1
end

local function suits(r, kind, mode, offered, tag)
  if kind == "c" and (mode == "f" or not tags.has(r, tag)) then
    return false
  end
  return capabilities.covers(capabilities.offer(offered), r.f.cl or "")
end

--- Wakes the longest waiting process that can take a record from the queue `kind`. Answers whether
--- there was one.
function waiters.wake(r, kind)
  local partition, lane = r.partition, r.f.ln
  local key, from = keys.waiters(partition, lane), 0
  while true do
    local batch = redis.call("ZRANGE", key, from, from + SCANNED_AT_ONCE - 1)
    from = from + #batch
    for _, member in ipairs(batch) do
      local process, arm, mode, offered, tag = string.match(member, PATTERN)
      if process and suits(r, kind, mode, offered, tag) then
        waiters.remove(partition, lane, member)
        from = from - 1
        if redis.call("SPUBLISH", keys.process(partition, process), "w " .. arm .. " " .. r.id) > 0 then
          return true
        end
      end
    end
    if #batch < SCANNED_AT_ONCE or from >= SCANNED_MAX then
      return false
    end
  end
end

--- Takes off arms of a lane whose processes are gone, among some that are chosen at random.
function waiters.sweep(partition, lane)
  local listening = {}
  for _, member in ipairs(redis.call("ZRANDMEMBER", keys.waiters(partition, lane), SCANNED_AT_ONCE)) do
    local process = string.match(member, PATTERN) or ""
    if listening[process] == nil then
      local found = redis.call("PUBSUB", "SHARDNUMSUB", keys.process(partition, process))
      listening[process] = process ~= "" and found[2] > 0
    end
    if not listening[process] then
      waiters.remove(partition, lane, member)
    end
  end
end

return waiters
