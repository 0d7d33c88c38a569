--- Finds wake-ups that were lost: work that stands in a queue while somebody who could take it
--- waits. One lane is looked at in a call, chosen at random, so that the cost does not grow.
local execution = require("execution")
local heads = require("heads")
local keys = require("keys")
local waiters = require("waiters")

local repair = {}

local ANYTHING = { fresh = true, reclaims = true, tag = "" }
local LOOKED_AT = 8

local function any_offer(partition, lane)
  local found = {}
  for _, entry in ipairs(redis.call("SMEMBERS", keys.lane(partition, lane))) do
    found[#found + 1] = string.sub(entry, 2)
  end
  return "," .. table.concat(found, ",") .. ","
end

--- Wakes one waiter for each head of the lane that has a waiter left. Answers how many.
function repair.wakeups(partition)
  local lane = redis.call("SRANDMEMBER", keys.waited_lanes(partition))
  if not lane then
    return 0
  end
  waiters.sweep(partition, lane)
  local repaired = 0
  local best = heads.best(partition, lane, any_offer(partition, lane), ANYTHING, LOOKED_AT)
  for _, head in ipairs(best) do
    local r = execution.open(partition, head.id)
    if r and waiters.wake(r, head.queue) then
      repaired = repaired + 1
    end
  end
  return repaired
end

return repair
