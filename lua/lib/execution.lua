--- Takes an execution in hand, and puts it back: record, indexes and wake-ups together.
---
--- A function opens an execution, decides, changes fields, and commits. Everything before the
--- commit only reads.
local keys = require("keys")
local placement = require("placement")
local queue = require("queue")
local record = require("record")
local timers = require("timers")
local told = require("told")
local waiters = require("waiters")

local execution = {}

--- The execution with the places it stands in, or nil when there is none.
function execution.open(partition, id)
  local r = record.load(partition, id)
  if r then
    r.place = placement.of(r)
  end
  return r
end

--- Writes what was changed and brings the indexes along.
function execution.commit(r, now)
  local before, after = r.place, placement.of(r)
  if r.f.ea and r.f.aw then
    told.ended(r)
  end
  record.save(r)
  local moved = before.queue ~= after.queue or before.score ~= after.score
  if moved and before.queue then
    queue.remove(r, before)
  end
  if moved and after.queue then
    queue.insert(r, after)
  end
  if after.due and after.due ~= before.due then
    timers.set(r, after.due, now)
  elseif before.due and not after.due then
    timers.remove(r)
  end
  if moved and after.queue then
    waiters.wake(r, after.queue)
  end
  r.place = after
end

--- Stores a new execution.
function execution.create(r, now)
  r.place = {}
  redis.call("ZADD", keys.all(r.partition), 0, r.id)
  execution.commit(r, now)
end

--- Removes an execution and everything that belongs to it.
function execution.remove(r)
  if r.place.queue then
    queue.remove(r, r.place)
  end
  timers.remove(r)
  redis.call("ZREM", keys.all(r.partition), r.id)
  local partition, id = r.partition, r.id
  redis.call("DEL", keys.execution(partition, id), keys.long(partition, id), keys.payload(partition, id))
end

return execution
