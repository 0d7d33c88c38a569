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

--- The execution with the places it stands in (`queue`, `score`, `due`), or nil when there is none.
function execution.open(partition, id)
  local r = record.load(partition, id)
  if r then
    r.queue, r.score, r.due = placement.of(r)
  end
  return r
end

--- Writes what was changed and brings the indexes along.
function execution.commit(r, now)
  local kind, score, due = placement.of(r)
  if r.f.ea and r.f.aw then
    told.ended(r)
  end
  record.save(r)
  local moved = r.queue ~= kind or r.score ~= score
  if moved and r.queue then
    queue.remove(r, r.queue)
  end
  if moved and kind then
    queue.insert(r, kind, score)
  end
  if due and due ~= r.due then
    timers.set(r, due, now)
  elseif r.due and not due then
    timers.remove(r)
  end
  if moved and kind then
    waiters.wake(r, kind)
  end
  r.queue, r.score, r.due = kind, score, due
end

--- Stores a new execution.
function execution.create(r, now)
  redis.call("ZADD", keys.all(r.partition), 0, r.id)
  execution.commit(r, now)
end

--- Removes an execution and everything that belongs to it.
function execution.remove(r)
  if r.queue then
    queue.remove(r, r.queue)
  end
  timers.remove(r)
  redis.call("ZREM", keys.all(r.partition), r.id)
  local partition, id = r.partition, r.id
  redis.call("DEL", keys.execution(partition, id), keys.long(partition, id), keys.payload(partition, id))
end

return execution
