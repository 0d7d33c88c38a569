--- Finds wake-ups that were lost: work stands in a queue, and somebody who could take it waits. A few
--- queues of one lane are looked at in a call, and a few of those who wait for it, all chosen at
--- random, so that the cost does not grow.
local arms = require("arms")
local capabilities = require("capabilities")
local execution = require("execution")
local handouts = require("handouts")
local heads = require("heads")
local keys = require("keys")
local lane_due = require("lane_due")
local lanes = require("lanes")
local waiters = require("waiters")

local repair = {}

local QUEUES = 8
local ARMS = 4
--- What has been ready for less is on its way to whoever was woken.
local LATE_MS = 1000

local function late(partition, head, now)
  local r = head and execution.open(partition, head.id)
  return r and r.queue and now - tonumber(r.f.ra) > LATE_MS and r
end

--- From the side of the work: whoever can take it, behind some place among those who wait.
local function by_work(partition, lane, ln, now)
  local repaired, start = 0, waiters.some_rank(partition, lane)
  for _, head in ipairs(heads.some(partition, lane, QUEUES, ln, now)) do
    local r = late(partition, head, now)
    if r and waiters.wake(r, head.queue, start) then
      repaired = repaired + 1
    end
  end
  return repaired
end

--- From the side of those who wait: what they could take, although it is no head of its queue.
local function by_arm(partition, lane, ln, now)
  local repaired = 0
  for _, arm in ipairs(waiters.some(partition, lane, ARMS)) do
    arm.ln = ln
    local best = heads.best(partition, lane, capabilities.offer(arm.offered), arm, 1, now)
    local r = late(partition, best[1], now)
    if r and arms.fire(partition, lane, arm, r.id) then
      repaired = repaired + 1
    end
  end
  return repaired
end

--- Wakes waiters for what stands too long. Answers how many were woken.
function repair.wakeups(partition, now)
  local lane = redis.call("SRANDMEMBER", keys.waited_lanes(partition))
  if not lane then
    return 0
  end
  arms.sweep(partition, lane)
  local ln = lane_due.load(partition, lane)
  if ln and lanes.room(ln, now) == 0 then
    handouts.finish(ln, now)
    lanes.save(ln, now)
    return 0
  end
  local repaired = by_work(partition, lane, ln, now)
  repaired = repaired > 0 and repaired or by_arm(partition, lane, ln, now)
  if ln then
    handouts.finish(ln, now)
    lanes.save(ln, now)
  end
  return repaired
end

return repair
