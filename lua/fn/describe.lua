--- Everything about one execution, and how many stand in front of it in its queue.
---
--- @flags no-writes
--- @arg id id
--- @ok now     time
--- @ok ahead   int
--- @ok fields  list
--- @ok long    list  the values over 64 bytes, by field
--- @ok payload bytes
--- @ok waits   list  what it knows of its waitpoints
--- @err NOT_FOUND
local clock = require("clock")
local execution = require("execution")
local keys = require("keys")
local queue = require("queue")
local record = require("record")
local reply = require("reply")

return function(partition, id)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  end
  local ahead = r.queue and queue.ahead(r) or 0
  local long = r.f.B and redis.call("HGETALL", keys.long(partition, id)) or {}
  local waits = r.f.wv and redis.call("HGETALL", keys.waits(partition, id)) or {}
  return reply.ok(clock.now_ms(partition), ahead, record.flat(r), long, record.payload(r), waits)
end
